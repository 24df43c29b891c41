{# Quantities in base units, exactly. #}

{# EA as it stands, CS times the pack. Any other unit, or a pack nobody knows, gives no quantity. #}
{% macro base_quantity(quantity, uom, pack_quantity) -%}
    cast(
        case {{ uom }}
            when 'EA' then {{ quantity }}
            when 'CS' then {{ quantity }} * {{ pack_quantity }}
        end as decimal(18, 6)
    )
{%- endmacro %}

{# The same for SAP's codes of the unit "piece"; packs lie in a service that is not read. #}
{% macro sap_base_quantity(quantity, uom) -%}
    cast(case when {{ uom }} in ('EA', 'PC', 'ST') then {{ quantity }} end as decimal(18, 6))
{%- endmacro %}
