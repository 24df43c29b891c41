-- Milestones of purchase order lines from files: days, told long after by whoever kept the list.
-- A day counts from its last moment: by then it surely had happened, and lags are whole days.
with lines as (
    select
        * rename (recorded_from as written_from, recorded_to as written_to),
        -- Where the file does not say when a thing was written down: between two looks at it.
        coalesce(previous_watermark_at, timestamptz '1970-01-01 00:00:00+00') as unseen_until
    from {{ ref('stg_files__purchase_order_lines') }}
),

milestones as (
    select
        *,
        unnest(
            [
                struct_pack(
                    milestone := 'ordered',
                    -- A line without the day of its order was ordered all the same. A promise is
                    -- made before the day that it names, so it was written down by then.
                    is_set := true,
                    occurred_at := ordered_to,
                    milestone_source := ordered_on_source,
                    milestone_method := ordered_on_method,
                    recorded_from := coalesce(ordered_from, unseen_until),
                    recorded_to := coalesce(ordered_to, least(promised_from, seen_at))
                ),
                struct_pack(
                    milestone := 'shipped',
                    is_set := shipped_on is not null,
                    occurred_at := shipped_to,
                    milestone_source := shipped_on_source,
                    milestone_method := shipped_on_method,
                    recorded_from := greatest(shipped_from, unseen_until),
                    recorded_to := seen_at
                ),
                struct_pack(
                    milestone := 'delivered',
                    is_set := delivered_on is not null,
                    occurred_at := delivered_to,
                    milestone_source := delivered_on_source,
                    milestone_method := delivered_on_method,
                    recorded_from := coalesce(
                        written_from, greatest(delivered_from, unseen_until)
                    ),
                    recorded_to := coalesce(written_to, seen_at)
                )
            ],
            recursive := true
        )
    from lines
)

select
    system,
    'purchase_order_lines' as entity,
    record_id,
    version_number,
    milestone,
    milestone_source as source_status,
    milestone_method as mapping_method,
    is_set,
    'order_line' as object_type,
    'order_line' as link_type,
    order_line_id as link_key,
    system as link_system,
    shipment_number as document,
    po_number as own_document,
    line_number as line_record,
    vendor as party_id,
    item as item_id,
    cast(null as varchar) as location_id,
    quantity,
    pack_price as unit_price,
    currency,
    occurred_at,
    promised_to as promised_at,
    recorded_from,
    recorded_to,
    -- What else a line says than before was written between two looks.
    unseen_until as updated_from,
    seen_at as updated_to,
    case when not is_set then unseen_until end as reversed_from,
    case when not is_set then seen_at end as reversed_to,
    cast(null as varchar) as origin,
    seen_at,
    is_first_load,
    raw_key
from milestones
where is_set or version_number > 1
