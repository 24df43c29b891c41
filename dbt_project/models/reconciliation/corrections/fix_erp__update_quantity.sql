-- The ERP holds another quantity than the authority: take it over, before the warehouse has it.
{{ config(materialized='view') }}

{{ order_line_update('update_quantity', 'erp', 'quantity', closed_by=['released', 'invoiced']) }}
