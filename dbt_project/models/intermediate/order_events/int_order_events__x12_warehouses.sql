-- What a warehouse was told to ship (940), what it shipped (945), and stock transfers (943, 944).
with orders as (
    select * from {{ ref('stg_x12__warehouse_order_lines') }}
),

-- A line of which nothing was shipped is no shipment. What is corrected to nothing is taken back.
shipments as (
    select
        *,
        quantity > 0 as is_something
    from {{ ref('stg_x12__shipment_lines') }}
),

transfers as (
    select
        *,
        quantity > 0 as is_something
    from {{ ref('stg_x12__stock_transfer_lines') }}
),

releases as (
    select
        {{ edi_event(
            'warehouse_order_lines',
            "case when canonical_status is null then 'unmapped' else 'released' end",
            "'host_line'", "host_order || '/' || line_number",
            is_set="coalesce(canonical_status, '') <> 'cancelled'", source_status='status_code',
            mapping_method='status_mapping_method', document='host_order',
            own_document='host_order', line_record='line_number', item='item',
            location='location_id', quantity='base_quantity'
        ) }}
    from orders
),

shipped as (
    select
        {{ edi_event(
            'shipment_lines', "coalesce(canonical_status, 'unmapped')", host_line_type(),
            host_line_key(), is_set='is_something', source_status='status_code',
            mapping_method='status_mapping_method', document='shipment_number',
            own_document='shipment_number', line_record='line_id', item='item',
            location='location_id', quantity='base_quantity',
            occurred_at='least(shipped_to, written_at)',
            occurred_from='least(shipped_from, written_from)',
            occurred_to='least(shipped_to, written_to)'
        ) }}
    from shipments
),

-- A package is no line: what is in it is told by the links.
packages as (
    select
        {{ edi_event(
            'shipment_lines', "coalesce(canonical_status, 'unmapped')", "'package'",
            'tracking_number', object_type="'package'",
            record_id="shipment_number || '/' || tracking_number", is_set='is_something',
            source_status='status_code', mapping_method='status_mapping_method',
            document='shipment_number', own_document='shipment_number', location='location_id',
            occurred_at='least(shipped_to, written_at)',
            occurred_from='least(shipped_from, written_from)',
            occurred_to='least(shipped_to, written_to)'
        ) }}
    from shipments
    where tracking_number is not null
    qualify
        row_number() over (
            partition by system, shipment_number, tracking_number, sender_position
            order by is_something desc, line_id asc
        ) = 1
),

transferred as (
    select
        {{ edi_event(
            'stock_transfer_lines', "coalesce(canonical_status, 'unmapped')",
            purchase_line_type(), purchase_line_key(), is_set='is_something',
            source_status='set_code', mapping_method='status_mapping_method',
            document='transfer_number', own_document='transfer_number', line_record='line_id',
            item='item', location='location_id', quantity='base_quantity',
            occurred_at='least(moved_to, written_at)',
            occurred_from='least(moved_from, written_from)',
            occurred_to='least(moved_to, written_to)'
        ) }}
    from transfers
)

select * from releases
union all
select * from shipped
union all
select * from packages
union all
select * from transferred
