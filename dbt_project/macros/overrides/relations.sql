{#
    Relations without the database's name, which in DuckDB is the file's: a view keeps working in a
    copy of the warehouse under another name, or attached under any.
#}
{% macro ref() %}
    {%- set relation = builtins.ref(*varargs, **kwargs) -%}
    {{ return(relation.include(database=false)) }}
{% endmacro %}

{% macro source() %}
    {%- set relation = builtins.source(*varargs, **kwargs) -%}
    {{ return(relation.include(database=false)) }}
{% endmacro %}
