{# Quantities in base units: by exact fractions, or not at all. What is unknown is never guessed. #}

{#
    A quantity in base units, by what the seed `units` says of the connector's unit: a fraction of
    the base unit, or of a pack, whose size in base units the item's own master tells (a fraction,
    too). Null: a unit that the seed does not have, a pack that nobody knows, or a result that six
    decimals can't hold exactly.
#}
{% macro base_quantity(connector, quantity, unit, pack_numerator='null', pack_denominator='1') -%}
    list_transform(
            [
                (
                    select
                        map_from_entries(
                            list(struct_pack(
                                k := source_unit,
                                v := struct_pack(
                                    numerator := cast(numerator as hugeint),
                                    denominator := cast(denominator as hugeint),
                                    is_pack := is_pack
                                )
                            ))
                        )
                    from {{ ref('units') }}
                    where connector = '{{ connector }}'
                )[{{ unit }}]
            ],
            lambda factor: {{ _exact_fraction(
                quantity,
                'factor.numerator * case when factor.is_pack then ' ~ pack_numerator ~ ' else 1 end',
                'factor.denominator * case when factor.is_pack then ' ~ pack_denominator
                ~ ' else 1 end',
            ) }}
        )[1]
{%- endmacro %}

{#
    In whole millionths, so that it divides or it does not. Nearly everything is told in base units:
    what is one to one needs no such long division.
#}
{% macro _exact_fraction(quantity, numerator, denominator) -%}
    case
                when {{ numerator }} = {{ denominator }}
                    then try_cast({{ quantity }} as decimal(18, 6))
                when {{ _millionths(quantity) }} * {{ numerator }} % ({{ denominator }}) = 0
                    then try_cast(
                        try_cast(
                            {{ _millionths(quantity) }} * {{ numerator }} // ({{ denominator }})
                            as decimal(32, 0)
                        ) * cast(0.000001 as decimal(6, 6)) as decimal(18, 6)
                    )
            end
{%- endmacro %}

{% macro _millionths(quantity) -%}
    cast(cast({{ quantity }} as decimal(38, 6)) * 1000000 as hugeint)
{%- endmacro %}

{#
    The same where a message or a record tells the factor itself, as a decimal. Eighteen digits
    multiplied by eighteen overflow at a million: hence the wider type.
#}
{% macro exact_product(quantity, factor) -%}
    case
        when
            cast({{ quantity }} as decimal(38, 6)) * {{ factor }}
            = try_cast(cast({{ quantity }} as decimal(38, 6)) * {{ factor }} as decimal(18, 6))
            then try_cast(cast({{ quantity }} as decimal(38, 6)) * {{ factor }} as decimal(18, 6))
    end
{%- endmacro %}

{#
    The one as an exact fraction of the other in lowest terms, like 5/6. Null where one of them is
    nothing, where both are alike, and where one is not known.
#}
{% macro exact_ratio(quantity, whole) -%}
    case
            when {{ quantity }} > 0 and {{ whole }} > 0 and {{ quantity }} <> {{ whole }}
                then concat(
                    {{ _millionths(quantity) }}
                    // gcd({{ _millionths(quantity) }}, {{ _millionths(whole) }}),
                    '/',
                    {{ _millionths(whole) }}
                    // gcd({{ _millionths(quantity) }}, {{ _millionths(whole) }})
                )
        end
{%- endmacro %}

{# Whether two quantities are one in units of which one is `unit` times the other: by products, never
   by a quotient, because a third of a pack is no number of digits. #}
{% macro are_apart_by(quantity, other, unit) -%}
    {{ _millionths(quantity) }} * {{ unit }}.denominator
                            = {{ _millionths(other) }} * {{ unit }}.numerator
                            or {{ _millionths(other) }} * {{ unit }}.denominator
                            = {{ _millionths(quantity) }} * {{ unit }}.numerator
{%- endmacro %}

{# Whether a quantity is a whole number of units that are larger than the base unit. #}
{% macro is_whole_number_of(quantity, unit) -%}
    {{ unit }}.numerator > {{ unit }}.denominator
                            and {{ _millionths(quantity) }} * {{ unit }}.denominator
                            % (1000000 * {{ unit }}.numerator) = 0
{%- endmacro %}

{#
    By what an item can be miscounted where one unit is taken for another: the size of each unit that
    a system uses, in base units, as a list of exact fractions for each item.
#}
{% macro unit_factors_of_items() -%}
    select
        item_id,
        list(struct_pack(numerator := numerator, denominator := denominator)) as unit_factors
    from (
        select distinct
            items.item_id,
            units.numerator * case when units.is_pack then items.pack_numerator else 1 end
                as numerator,
            units.denominator * case when units.is_pack then items.pack_denominator else 1 end
                as denominator
        from {{ ref('dim_items') }} as items
        inner join {{ ref('dim_systems') }} as systems
            on items.system = systems.system
        inner join {{ ref('units') }} as units
            on systems.connector = units.connector
    ) as unit_sizes
    where numerator <> denominator
    group by item_id
{%- endmacro %}

{# Whether a quantity is a whole number of one of those units. #}
{% macro is_whole_units(quantity, unit_factors) -%}
    coalesce(
        list_contains(
            list_transform(
                {{ unit_factors }},
                lambda unit: {{ is_whole_number_of(quantity, 'unit') }}
            ),
            true
        ),
        false
    )
{%- endmacro %}
