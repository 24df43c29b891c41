{# Which instances a rule that compares two roles concerns. #}

{# Joins to `rules`: `a_routes` is each instance of A, `b_routes` each one that it is compared with. #}
{% macro instances_of_both_sides() -%}
    inner join {{ ref('rule_routes') }} as a_routes
        on
            rules.rule_id = a_routes.rule_id
            and rules.a_role = a_routes.role
            and a_routes.a_system = a_routes.system
    inner join {{ ref('rule_routes') }} as b_routes
        on
            rules.rule_id = b_routes.rule_id
            and a_routes.a_system = b_routes.a_system
            and rules.b_role = b_routes.role
{%- endmacro %}
