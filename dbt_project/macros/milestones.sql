{# The canonical milestones, in the order of a line's life; marts give each a column. #}

{% macro milestones() -%}
    {{ return([
        'ordered', 'acknowledged', 'captured', 'held', 'validated', 'accepted', 'backordered',
        'allocation_failed', 'allocated', 'released', 'picked', 'packed', 'asn_sent',
        'label_created', 'shipped', 'in_transit', 'delayed', 'delivery_exception', 'delivered',
        'received', 'put_away', 'invoiced', 'supplier_invoiced', 'cancelled',
        'return_authorised', 'return_received', 'replaced', 'credited', 'allowance_granted', 'paid',
        'period_closed',
    ]) }}
{%- endmacro %}

{#
    Those that move a line on, the furthest first. Bills move no goods, what went wrong with an
    allocation is overtaken by an allocation, cancelling is decided by what had shipped before, and
    what replaces a line has a life of its own.
#}
{% macro states_furthest_first() -%}
    {{ return([
        'credited', 'return_received', 'return_authorised', 'put_away', 'received', 'delivered',
        'delivery_exception', 'delayed', 'in_transit', 'shipped', 'label_created', 'asn_sent',
        'packed', 'picked', 'released', 'allocated', 'allocation_failed', 'backordered', 'accepted',
        'validated', 'captured', 'acknowledged', 'ordered',
    ]) }}
{%- endmacro %}

{#
    A milestone by the columns that tell it: `<told>_at` when it was, `<told>_from` and `<told>_to` when
    it was written. An element of a list that is unnested into a row a milestone.
#}
{% macro told_milestone(milestone, told) -%}
    struct_pack(
        milestone := '{{ milestone }}',
        occurred_at := {{ told }}_at,
        recorded_from := {{ told }}_from,
        recorded_to := {{ told }}_to
    )
{%- endmacro %}
