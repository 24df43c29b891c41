-- The ERP holds another price than the authority: take over the authority's, before it is billed.
{{ config(materialized='view') }}

{{ order_line_update('update_price', 'erp', 'unit_price', closed_by=['invoiced']) }}
