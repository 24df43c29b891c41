-- The OMS holds another quantity than the authority: take over the authority's.
{{ config(materialized='view') }}

{{ order_line_update('update_quantity', 'oms', 'quantity') }}
