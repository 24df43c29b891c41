-- Values of purchase order lines from files that have no translation.
select
    'files' as connector,
    methods.system,
    methods.entity,
    methods.column_name as field_name,
    'value' as code_kind,
    methods.source_value,
    count(distinct lines.record_id) as record_count,
    min(lines.seen_at) as first_seen_at,
    max(lines.seen_at) as last_seen_at,
    cast(null as timestamptz) as cleared_at,
    min(lines.record_id) as sample_record_id
from {{ ref('int_mapping_methods__files') }} as methods
inner join {{ ref('stg_files__purchase_order_lines') }} as lines
    on methods.raw_key = lines.raw_key
where methods.method = 'unmapped' and methods.source_value is not null
group by methods.system, methods.entity, methods.column_name, methods.source_value
