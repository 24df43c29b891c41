-- How every value that may be dirty was read, one row a line and column of the newest version.
{% set columns = [
    'quote_number', 'delivery_terms', 'mode', 'quoted_on', 'ordered_on', 'promised_on',
    'shipped_on', 'delivered_on', 'recorded_on', 'weight_kg', 'freight_cost', 'insurance_cost'
] %}

with lines as (
    select *
    from {{ ref('stg_files__purchase_order_lines') }}
    qualify
        row_number() over (
            partition by system, record_id order by version_number desc
        ) = 1
),

readings as (
    select
        system,
        raw_key,
        unnest(
            [
                {%- for column in columns %}
                    struct_pack(
                        column_name := '{{ column }}',
                        method := {{ column }}_method,
                        source_value := {{ column }}_source
                    ){{ ',' if not loop.last }}
                {%- endfor %}
            ],
            recursive := true
        )
    from lines
)

select
    system,
    'purchase_order_lines' as entity,
    column_name,
    method,
    source_value,
    raw_key
from readings
where method is not null
