{#
    A view is dropped and made again in one transaction, as a table is (table.sql), and not made
    under a second name and renamed.
#}
{% materialization view, adapter="duckdb" %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is not none %}
        {% call statement('replace') -%}
            drop {{ existing.type }} if exists {{ existing }}
        {%- endcall %}
    {% endif %}
    {% call statement('main') -%}
        {{ get_create_view_as_sql(target, compiled_code) }}
    {%- endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}
