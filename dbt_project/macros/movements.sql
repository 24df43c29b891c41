{#
    Movements of records that may be corrected, from one row a version (`version_number`), of which
    `recorded_*` say when it was written. A version that tells another movement takes back what the
    one before told, at the moment at which it was written: what a balance showed in between, and what
    was said of it, stays right.
#}
{% macro corrected_movements(versions) -%}
    {% set corrected_by = ['recorded_from', 'recorded_to', 'seen_at', 'raw_key', 'version_number'] -%}
    with differing as (
        select *
        from {{ versions }}
        window record_history as (
            partition by system, entity, record_id order by version_number
        )
        qualify
            row(item_id, location_id, source_type, on_hand_change, moved_quantity)
            is distinct from lag(
                row(item_id, location_id, source_type, on_hand_change, moved_quantity)
            ) over record_history
    ),

    told as (
        select
            *,
            row_number() over record_history as ordinal,
            {% for column in corrected_by -%}
                lead({{ column }}) over record_history as next_{{ column }}{{ ',' if not loop.last }}
            {% endfor %}
        from differing
        window record_history as (
            partition by system, entity, record_id order by version_number
        )
    ),

    standing_or_not as (
        select
            * replace (
                case when ordinal = 1 then record_id else record_id || '#' || version_number end
                    as record_id
            ),
            next_recorded_from as reversed_from,
            next_recorded_to as reversed_to,
            false as is_reversal
        from told
        union all
        select
            * replace (
                record_id || '#' || next_version_number || '-' as record_id,
                to_state as from_state,
                from_state as to_state,
                -on_hand_change as on_hand_change,
                next_recorded_from as recorded_from,
                next_recorded_to as recorded_to,
                next_seen_at as seen_at,
                next_raw_key as raw_key
            ),
            cast(null as timestamptz) as reversed_from,
            cast(null as timestamptz) as reversed_to,
            true as is_reversal
        from told
        where next_version_number is not null
    )

    select
        * exclude (
            version_number,
            ordinal,
            {% for column in corrected_by -%}
                next_{{ column }}{{ ',' if not loop.last }}
            {% endfor %}
        )
    from standing_or_not
    where moved_quantity is distinct from 0 or (ordinal = 1 and next_version_number is null)
{%- endmacro %}
