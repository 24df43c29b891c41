-- How every value that may be dirty was read, one row a line and column of the newest version.
with lines as (
    select *
    from {{ ref('stg_files__purchase_order_lines') }}
    qualify row_number() over (
        partition by system, record_id order by version_number desc
    ) = 1
)

{% set columns = [
    'quote_number', 'delivery_terms', 'mode', 'quoted_on', 'ordered_on', 'promised_on',
    'shipped_on', 'delivered_on', 'recorded_on', 'weight_kg', 'freight_cost', 'insurance_cost'
] -%}
{% for column in columns -%}
select
    system,
    'purchase_order_lines' as entity,
    '{{ column }}' as column_name,
    {{ column }}_method as method,
    {{ column }}_source as source_value,
    raw_key
from lines
where {{ column }}_method is not null
{% if not loop.last %}union all
{% endif %}
{%- endfor %}
