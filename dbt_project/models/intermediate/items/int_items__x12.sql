-- Items as EDI documents name them, one row an item and system: the identity that we agreed on.
{% set entities = [
    'purchase_order_lines', 'acknowledgement_lines', 'shipment_notice_lines', 'invoice_lines',
    'inventory', 'warehouse_order_lines', 'shipment_lines', 'stock_transfer_lines',
    'adjustment_lines', 'return_lines',
] %}

with named as (
    {% for entity in entities %}
        select
            system,
            item,
            written_at,
            raw_key
        from {{ ref('stg_x12__' ~ entity) }}
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}
)

select
    system,
    item as item_id,
    item as source_item,
    cast(null as varchar) as description,
    'EA' as base_uom,
    cast(null as varchar) as pack_uom,
    cast(null as bigint) as pack_numerator,
    cast(null as bigint) as pack_denominator,
    cast(null as decimal(18, 6)) as list_price,
    cast(null as varchar) as currency,
    max(written_at) as recorded_at,
    arg_max(raw_key, (written_at, raw_key)) as raw_key
from named
group by system, item
