-- What carriers say of shipments (214), returns (180), and which of our messages were acknowledged
-- (997, CONTRL).
with scans as (
    select * from {{ ref('stg_x12__tracking_events') }}
),

returns as (
    select * from {{ ref('stg_x12__return_lines') }}
),

sent_groups as (
    select * from {{ ref('stg_x12__functional_groups') }}
),

acknowledgements as (
    select * from {{ ref('stg_x12__functional_acknowledgements') }}
),

package_scans as (
    select
        {{ edi_event(
            'tracking_events', "coalesce(canonical_status, 'unmapped')", "'package'",
            'tracking_number', object_type="'package'", source_status='status_code',
            mapping_method='status_mapping_method', document='tracking_number',
            own_document='record_id', occurred_at='occurred_at'
        ) }}
    from scans
),

-- A line is on its way, late and delivered once, however often the carrier says so.
line_scans as (
    select * replace ('order_line' as object_type)
    from package_scans
    where milestone in ('in_transit', 'delayed', 'delivery_exception', 'delivered')
    qualify row_number() over (
            partition by system, link_key, milestone
            order by recorded_to, record_id, version_number
        ) = 1
),

returned as (
    select
        {{ edi_event(
            'return_lines', "coalesce(canonical_status, 'unmapped')",
            "case when line_number is null then 'host_item' else 'host_line' end",
            "case when line_number is null then order_number || '|' || item "
            ~ "else order_number || '/' || line_number end",
            source_status='purpose_code', mapping_method='status_mapping_method',
            document='return_number', own_document='return_number', line_record='line_id',
            item='item', quantity='base_quantity'
        ) }}
    from returns
),

sent as (
    select
        {{ edi_event(
            'functional_groups', "'sent'", "'functional_group'",
            "functional_id || '/' || group_number", object_type="'functional_group'",
            source_status='sets', document='group_number', own_document='group_number',
            promised_at='acknowledgement_due_at'
        ) }}
    from sent_groups
),

answered as (
    select
        {{ edi_event(
            'functional_acknowledgements', "coalesce(canonical_status, 'unmapped')",
            "'functional_group'", "functional_id || '/' || group_number",
            object_type="'functional_group'", source_status='status_code',
            mapping_method='status_mapping_method', document='group_number',
            own_document='interchange_id'
        ) }}
    from acknowledgements
)

select * from package_scans
union all
select * from line_scans
union all
select * from returned
union all
select * from sent
union all
select * from answered
