{# Durations for people and KPIs: seconds with a fraction, and quantiles of them. #}

{#
    Seconds from one instant to another; negative when they are the other way round. Not by
    `date_diff`, which asks a calendar about each of them.
#}
{% macro seconds_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000
{%- endmacro %}

{# A quantile of what passes the filter, null when nothing does. #}
{% macro quantile_where(expression, share, condition) -%}
    quantile_cont({{ expression }}, {{ share }}) filter (where {{ condition }})
{%- endmacro %}
