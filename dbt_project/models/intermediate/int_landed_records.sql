-- Quarantined records of which a good version was seen later, and when last.
{% set feeds = [
    ('demo_oms', ['order_lines', 'products']),
    ('demo_erp', [
        'sales_order_lines', 'fulfilment_lines', 'invoice_lines', 'stock_movements', 'stock', 'items',
    ]),
    ('demo_wms', ['order_lines', 'shipment_lines', 'transactions', 'inventory', 'items']),
    ('demo_carrier', ['tracking_events']),
    ('files', ['purchase_order_lines']),
    ('tryton', [
        'sale_lines', 'fulfilment_lines', 'invoice_lines', 'purchase_lines', 'warehouse_order_lines',
        'shipment_lines', 'stock_movements', 'stock', 'products',
    ]),
] %}

with quarantined as (
    select distinct
        system,
        entity,
        record_id
    from {{ ref('stg_log__quarantine') }}
),

landed as (
    {% for connector, entities in feeds %}
        {% set last_connector = loop.last %}
        {% for entity in entities %}
            select
                landed._system as system,
                '{{ entity }}' as entity,
                landed._record_id as record_id,
                landed._extracted_at as seen_at
            from {{ source('landing', connector ~ '__' ~ entity) }} as landed
            {% if not (loop.last and last_connector) %}
                union all
            {% endif %}
        {% endfor %}
    {% endfor %}
)

select
    landed.system,
    landed.entity,
    landed.record_id,
    max(landed.seen_at) as last_seen_at
from landed
inner join quarantined
    on
        landed.system = quarantined.system
        and landed.entity = quarantined.entity
        and landed.record_id = quarantined.record_id
group by landed.system, landed.entity, landed.record_id
