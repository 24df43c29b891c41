{# What the models of corrections share: payload texts, preconditions, and how a group is summed up. #}

{# An exact number without needless zeros, as text: 5.000000 is 5, 12.500000 is 12.5. #}
{% macro exact_text(expression) -%}
    regexp_replace(cast(cast({{ expression }} as decimal(38, 6)) as varchar), '\.?0*$', '')
{%- endmacro %}

{# A time as ISO 8601 in UTC, to the millisecond. #}
{% macro iso_text(expression) -%}
    strftime(timezone('UTC', {{ expression }}), '%Y-%m-%dT%H:%M:%S.%gZ')
{%- endmacro %}

{#
    What a record must show right before sending. `fields` is a row of int_record_fields: it says
    how the product names things. `key` pairs a meaning with a value; a part without a name or a
    value is left out.
#}
{% macro _condition(fields, key, rest) -%}
    json_object(
        'system', {{ fields }}.system,
        'entity', {{ fields }}.entity,
        'key', to_json(map_from_entries(list_filter([
            {%- for meaning, value in key %}
            {'k': {{ fields }}.names['{{ meaning }}'], 'v': cast({{ value }} as varchar)}
            {%- if not loop.last %},{% endif %}
            {%- endfor %}
        ], lambda part: part.k is not null and part.v is not null))),
        {{ rest }}
    )
{%- endmacro %}

{% macro must_exist(fields, key) -%}
    {{ _condition(fields, key, "'check', 'exists'") }}
{%- endmacro %}

{% macro must_be_absent(fields, key) -%}
    {{ _condition(fields, key, "'check', 'absent'") }}
{%- endmacro %}

{% macro must_equal(fields, key, meaning, value) -%}
    {{ _condition(
        fields, key,
        "'check', 'equals', 'field', " ~ fields ~ ".names['" ~ meaning ~ "'], 'value', " ~ value
    ) }}
{%- endmacro %}

{# No standing document under this reference: one condition for each status in which one stands. #}
{% macro none_may_stand(fields, key) -%}
    list_transform(
        {{ fields }}.standing_statuses,
        lambda standing_status: {{ must_be_absent(fields, key + [('status', 'standing_status')]) }}
    )
{%- endmacro %}

{# Preconditions of a group: lists of conditions of its lines, each condition once. #}
{% macro all_conditions(lists) -%}
    to_json(list_sort(list_distinct(flatten(list({{ lists }})))))
{%- endmacro %}

{# Two systems, in whichever order, and what they may fight over: a group of kinds, or a field. #}
{% macro pair_name(one_system, other_system, topic) -%}
    least({{ one_system }}, {{ other_system }}) || '/'
    || greatest({{ one_system }}, {{ other_system }}) || '.' || {{ topic }}
{%- endmacro %}

{# The exceptions that one kind of correction may end, in the systems of one role. #}
{% macro correctable(kind, target_role) -%}
    select *
    from {{ ref('correctable_exceptions') }}
    where kind = '{{ kind }}' and target_role = '{{ target_role }}'
{%- endmacro %}

{#
    What every correction says of the exceptions that it resolves. Values are summed within one
    currency only; mixed ones make no sum.
#}
{% macro resolved_exceptions(relation) -%}
    min({{ relation }}.rule_id) as rule_id,
    list_sort(list_distinct(list({{ relation }}.obligation_id))) as obligation_ids,
    case when count(distinct {{ relation }}.order_id) = 1 then min({{ relation }}.order_id) end
        as order_id,
    case
        when count(distinct {{ relation }}.order_line_id) = 1 then min({{ relation }}.order_line_id)
    end as order_line_id,
    {{ relation }}.target_system,
    min({{ relation }}.target_role) as target_role,
    min({{ relation }}.kind) as kind,
    case
        when count(distinct {{ relation }}.currency) = 1 then sum({{ relation }}.value_at_risk)
    end as value_at_risk,
    case when count(distinct {{ relation }}.currency) = 1 then min({{ relation }}.currency) end
        as currency,
    count(distinct {{ relation }}.currency) > 1 as has_several_currencies,
    max({{ relation }}.first_seen_at) as first_sighting_at,
    min({{ relation }}.frontier_at) as frontier_at
{%- endmacro %}

{#
    A field of an order line that the copy must take over from the authority. Which of the two is
    the target follows from authority.csv; so each field has a model for each role.
    `closed_by`: milestones after which the target's line may change no more.
#}
{% macro order_line_update(kind, target_role, field, closed_by=[]) -%}
    with differing as (
        {{ correctable(kind, target_role) }}
    ),

    located as (
        select
            differing.*,
            target_lines.own_document as target_order,
            target_lines.line_record as target_line,
            {{ must_equal(
                'target_fields',
                [
                    ('own_document', 'target_lines.own_document'),
                    ('line_record', 'target_lines.line_record'),
                ],
                field,
                exact_text('differing.observed_decimal'),
            ) }} as target_condition,
            {{ must_equal(
                'authority_fields',
                [
                    ('own_document', 'authority_lines.own_document'),
                    ('line_record', 'authority_lines.line_record'),
                ],
                field,
                exact_text('differing.expected_decimal'),
            ) }} as authority_condition
        from differing
        inner join {{ ref('order_line_records') }} as target_lines
            on
                differing.target_system = target_lines.system
                and differing.order_line_id = target_lines.order_line_id
        inner join {{ ref('order_line_records') }} as authority_lines
            on
                differing.authority_system = authority_lines.system
                and differing.order_line_id = authority_lines.order_line_id
        inner join {{ ref('int_record_fields') }} as target_fields
            on
                target_lines.system = target_fields.system
                and target_lines.entity = target_fields.entity
        inner join {{ ref('int_record_fields') }} as authority_fields
            on
                authority_lines.system = authority_fields.system
                and authority_lines.entity = authority_fields.entity
        where
            differing.is_ready
            {%- if field == 'unit_price' %}
            -- A number of another currency is no price of the target's.
            and coalesce(target_lines.currency = authority_lines.currency, true)
            {%- endif %}
            {%- for milestone in closed_by %}
            and not target_lines.is_{{ milestone }}
            {%- endfor %}
    )

    select
        {{ resolved_exceptions('located') }},
        'order_line' as object_type,
        located.object_id,
        located.target_order || '/' || located.target_line as target_object,
        json_object(
            '{{ field }}', {{ exact_text('min(located.observed_decimal)') }}
        ) as old_value,
        json_object(
            '{{ field }}', {{ exact_text('min(located.expected_decimal)') }}
        ) as new_value,
        json_object(
            'order_record', located.target_order,
            'line_record', located.target_line,
            '{{ field }}', {{ exact_text('min(located.expected_decimal)') }},
            'old_{{ field }}', {{ exact_text('min(located.observed_decimal)') }}
        ) as payload,
        {{ all_conditions('[located.target_condition, located.authority_condition]') }}
            as preconditions
    from located
    group by
        located.target_system, located.object_id, located.target_order, located.target_line,
        located.expected_decimal, located.observed_decimal
{%- endmacro %}

{#
    The lines that a document is to be created for, each as the target knows it (`target_order`,
    `target_line`), with what must still be so right before (`current_conditions`) and that no
    standing document of the feed answers them yet (`absence_conditions`). `unless_cancelled`: the
    target's order line must not be cancelled meanwhile.
#}
{% macro lines_to_create(kind, target_role, feed, unless_cancelled=true) -%}
    select
        missing.*,
        target_lines.own_document as target_order,
        target_lines.line_record as target_line,
        [
            moved.still_so
            {%- if unless_cancelled -%}
            , {{ must_equal(
                'order_fields',
                [
                    ('own_document', 'target_lines.own_document'),
                    ('line_record', 'target_lines.line_record'),
                ],
                'cancelled',
                'null',
            ) }}
            {%- endif %}
        ] as current_conditions,
        {{ none_may_stand(
            'fields',
            [
                ('document', 'missing.document'),
                ('order_record', 'target_lines.own_document'),
            ],
        ) }} as absence_conditions
    from ({{ correctable(kind, target_role) }}) as missing
    left join {{ ref('correction_facts') }} as moved
        on
            missing.a_system = moved.system
            and missing.a_record_id = moved.record_id
            and missing.milestone = moved.milestone
            and missing.order_line_id = moved.order_line_id
            and moved.object_type = 'order_line'
            and moved.is_standing
    left join {{ ref('order_line_records') }} as target_lines
        on
            missing.target_system = target_lines.system
            and missing.order_line_id = target_lines.order_line_id
    {%- if unless_cancelled %}
    left join {{ ref('int_record_fields') }} as order_fields
        on target_lines.system = order_fields.system and target_lines.entity = order_fields.entity
    {%- endif %}
    left join {{ ref('int_record_fields') }} as fields
        on
            missing.target_system = fields.system
            and list_contains(fields.feeds, '{{ feed }}')
{%- endmacro %}

{# The lines of a document to be created, in the target's own line records. #}
{% macro document_lines(relation) -%}
    list(
            json_object(
                'line_record', {{ relation }}.target_line,
                'quantity', {{ exact_text(relation ~ '.quantity') }}
            ) order by cast({{ relation }}.target_line as integer), {{ relation }}.obligation_id
        )
{%- endmacro %}

{# Quantities of a shipment's lines, by the order line: the value that its proof looks for. #}
{% macro shipped_quantities(relation, column) -%}
    json_object(
        'document', {{ relation }}.document,
        'lines', list(
            json_object(
                'order_line_id', {{ relation }}.order_line_id,
                'shipped_quantity', {{ exact_text(relation ~ '.' ~ column) }}
            ) order by {{ relation }}.order_line_id
        )
    )
{%- endmacro %}

{# The reference by which an effect is found: the payload's field that correction_kinds names. #}
{% macro effect_reference(column) -%}
    json_extract_string(
                        accepted.payload,
                        '$.' || regexp_extract(
                            accepted.effect_key, '(^|\|){{ column }}=([a-z_]+)', 2
                        )
                    )
{%- endmacro %}
