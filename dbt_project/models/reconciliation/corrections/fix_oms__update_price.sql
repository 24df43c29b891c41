-- The OMS holds another price than the authority: take over the authority's.
{{ config(materialized='view') }}

{{ order_line_update('update_price', 'oms', 'unit_price') }}
