{# Reading the append-only landing: which rows are observations, and what the clock said then. #}

{#
    Versions of every record of one feed, oldest first, with the clock of their extraction.

    A row lands again whenever an extraction overlaps the one before, and after a crash. Only a row
    that repeats the version right before it says nothing new: 10, 12, 10 is three versions, else a
    restored value could never be seen. `position` is the feed's own order where it has one, or
    `['version', 'seq']` where records count their changes themselves: an old version that comes
    late, or once more, is then no change. Otherwise it is the order of observation.
#}
{% macro versions(connector, entity, position=[]) -%}
    {% set positions = [position] if position is string else position -%}
    select
        observations.* exclude (content_hash_before, load_order),
        row_number() over (
            partition by _system, _record_id
            order by {% for part in positions %}{{ part }}, {% endfor -%}
                load_order, extraction_started_at, _sequence
        ) as version_number
    from (
        select
            landed.*,
            {{ _clock_columns() }},
            extractions.load_order,
            lag(landed._content_hash) over (
                partition by landed._system, landed._record_id
                order by
                    {% for part in positions %}landed.{{ part }}, {% endfor -%}
                    extractions.load_order, extractions.extraction_started_at, landed._sequence
            ) as content_hash_before
        from {{ source('landing', connector ~ '__' ~ entity) }} as landed
        inner join {{ ref('stg_log__extractions') }} as extractions
            on
                landed._system = extractions.system
                and landed._extraction_id = extractions.extraction_id
                and extractions.entity = '{{ entity }}'
    ) as observations
    where content_hash_before is distinct from _content_hash
{%- endmacro %}

{#
    Every observation of a snapshot feed: an unchanged balance is still news, because it was seen.
    A crash may have landed a row twice; one row is kept for each raw identity.

    A list that is read whole counts only if it was read to its end. A source that keeps its place
    after a failure (a file against its control totals) has read the rest whole and never tells it
    again: that counts at once.
#}
{% macro snapshots(connector, entity) -%}
    select
        landed.*,
        {{ _clock_columns() }}
    from {{ source('landing', connector ~ '__' ~ entity) }} as landed
    inner join {{ ref('stg_log__extractions') }} as extractions
        on
            landed._system = extractions.system
            and landed._extraction_id = extractions.extraction_id
            and extractions.entity = '{{ entity }}'
    where extractions.is_complete or extractions.has_cursor
    qualify row_number() over (
        partition by landed._system, landed._record_id, landed._extraction_id
        order by landed._sequence desc
    ) = 1
{%- endmacro %}

{% macro _clock_columns() -%}
    extractions.extraction_started_at,
            extractions.is_first_load,
            extractions.previous_watermark_at,
            extractions.clock_ahead_most,
            extractions.clock_ahead_least,
            extractions.clock_ahead,
            extractions.time_zone
{%- endmacro %}

{# Columns that every staging model ends with; `raw_key` finds the row in the landing again. #}
{% macro provenance(versioned=true) -%}
    _system as system,
    _record_id as record_id,
    concat_ws('|', _system, _record_id, _content_hash, _extraction_id) as raw_key,
    _extraction_id as extraction_id,
    _extracted_at as seen_at,
    is_first_load,
    previous_watermark_at
    {%- if versioned %},
    version_number
    {%- endif %}
{%- endmacro %}

{#
    The moment that marts measure from: when the newest extraction began. Not one by a clock that was
    ahead, once a later one has shown it.
#}
{% macro newest_extraction() -%}
    select max(extraction_started_at) as measured_at
    from {{ ref('stg_log__extractions') }}
    where is_overtaken is not true
{%- endmacro %}
