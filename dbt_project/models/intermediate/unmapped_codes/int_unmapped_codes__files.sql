-- Values in files that have no translation, and codes of an ERP in files that no seed knows.
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
union all
{{ unmapped_statuses('files', 'erp_document_lines', 'status') }}
union all
{{ unmapped_movement_types('files', 'erp_document_lines', 'movement_type') }}
union all
{{ unmapped_locations('files', 'erp_document_lines', 'place') }}
union all
{{ unmapped_locations('files', 'erp_stock', 'place') }}
union all
{{ unmapped_units('files', 'erp_document_lines', 'uom') }}
