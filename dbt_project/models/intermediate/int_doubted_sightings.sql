-- Every sighting of a good version of records that were once quarantined, or missed by a sweep.
{{ config(materialized='table') }}

{% set feeds = [
    ('demo_oms', ['order_lines', 'products', 'availability']),
    ('demo_erp', [
        'sales_order_lines', 'fulfilment_lines', 'invoice_lines', 'settlement_lines',
        'periods', 'stock_movements', 'stock', 'items',
    ]),
    ('demo_wms', [
        'order_lines', 'shipment_lines', 'receipt_lines', 'return_lines', 'transactions',
        'inventory', 'items',
    ]),
    ('demo_carrier', ['tracking_events']),
    ('carrier_tracking', ['tracking_events']),
    ('files', ['purchase_order_lines', 'erp_document_lines', 'erp_stock']),
    ('sap_odata', [
        'products', 'sales_order_items', 'delivery_items', 'billing_items', 'purchase_order_items',
    ]),
    ('x12', [
        'interchanges', 'functional_groups', 'functional_acknowledgements', 'purchase_orders',
        'purchase_order_lines', 'acknowledgements', 'acknowledgement_lines',
        'shipment_notice_lines', 'invoice_lines', 'inventory', 'warehouse_order_lines',
        'shipment_lines', 'stock_transfer_lines', 'adjustment_lines', 'tracking_events',
        'return_lines',
    ]),
    ('vendure', [
        'order_lines', 'order_history', 'fulfilment_lines', 'payments', 'refunds',
        'product_variants', 'customers', 'stock_levels', 'stock_movements',
    ]),
    ('tryton', [
        'sale_lines', 'fulfilment_lines', 'invoice_lines', 'purchase_lines', 'warehouse_order_lines',
        'shipment_lines', 'receipt_lines', 'stock_movements', 'stock', 'products', 'parties',
        'locations', 'count_lines',
    ]),
] %}

with doubted as (
    select
        system,
        entity,
        record_id
    from {{ ref('stg_log__quarantine') }}
    union
    select
        system,
        entity,
        record_id
    from {{ ref('stg_log__missing_records') }}
),

landed as (
    {% for connector, entities in feeds %}
        {% set last_connector = loop.last %}
        {% for entity in entities %}
            select
                landed._system as system,
                '{{ entity }}' as entity,
                landed._record_id as record_id,
                landed._extraction_id as extraction_id,
                landed._sequence as sequence,
                landed._extracted_at as seen_at
            from {{ source('landing', connector ~ '__' ~ entity) }} as landed
            {% if not (loop.last and last_connector) %}
                union all
            {% endif %}
        {% endfor %}
    {% endfor %}
)

select distinct
    landed.system,
    landed.entity,
    landed.record_id,
    landed.extraction_id,
    landed.sequence,
    landed.seen_at
from landed
semi join doubted
    on
        landed.system = doubted.system
        and landed.entity = doubted.entity
        and landed.record_id = doubted.record_id
