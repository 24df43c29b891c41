-- Union of the adapters of purchase order lines: newest version of each line, one column a day.
select * from {{ ref('int_purchase_order_lines__files') }}
