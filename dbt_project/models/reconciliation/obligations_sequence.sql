-- Family sequence: what comes later can't have happened before what comes first. One model for
-- every pair of milestones. Where the first step is missing, the family presence speaks.
{{ config(materialized='view') }}

with pairs as (
    select
        orders.*,
        {{ list_of('orders.earlier_milestone') }} as earlier_milestones,
        {{ list_of('orders.later_milestone') }} as later_milestones,
        {{ list_of('orders.match_on') }} as matched_on,
        rules.grace_minutes,
        later_routes.a_system,
        later_routes.system as later_system,
        earlier_routes.system as earlier_system,
        orders.earlier_role || '.' || orders.earlier_milestone as first_step,
        dense_rank() over (
            order by
                rules.rule_id, later_routes.a_system, orders.earlier_role, orders.earlier_milestone,
                orders.earlier_time, orders.later_role, orders.later_milestone, orders.later_time
        ) as pair
    from {{ ref('rules_in_force') }} as rules
    inner join {{ ref('milestone_orders') }} as orders
        on rules.rule_id = orders.rule_id
    inner join {{ ref('rule_routes') }} as later_routes
        on rules.rule_id = later_routes.rule_id and orders.later_role = later_routes.role
    inner join {{ ref('rule_routes') }} as earlier_routes
        on
            rules.rule_id = earlier_routes.rule_id
            and orders.earlier_role = earlier_routes.role
            and later_routes.a_system = earlier_routes.a_system
    where rules.family = 'sequence'
),

-- A row for each milestone: claims are found by equality, and not by looking into lists.
{% for side in ['earlier', 'later'] %}
    {{ side }}_steps as (
        select
            *,
            unnest({{ side }}_milestones) as milestone
        from pairs
    ),
{% endfor %}

facts as (
    select * from {{ ref('facts') }}
),

-- Each date that a source ever told of a milestone, from when we knew it until it was taken back.
claims as (
    select
        * exclude (redated_from, redated_to, redated_seen_at, reversed_from, reversed_to),
        0 as nth_date,
        recorded_from as known_from,
        recorded_to as known_to,
        least(redated_seen_at, reversed_from) as until_from,
        least(redated_seen_at, reversed_to) as until_to,
        case
            when redated_seen_at < coalesce(reversed_to, 'infinity') then 'redated'
            when reversed_to is not null then 'taken_back'
        end as until_reason
    from facts
    union all by name
    select
        * exclude (redated_from, redated_to, redated_seen_at, reversed_from, reversed_to)
        replace (redated_from as occurred_from, redated_to as occurred_to),
        1 as nth_date,
        redated_seen_at as known_from,
        redated_seen_at as known_to,
        reversed_from as until_from,
        reversed_to as until_to,
        case when reversed_to is not null then 'taken_back' end as until_reason
    from facts
    where redated_seen_at < coalesce(reversed_to, 'infinity')
),

{% for side in ['earlier', 'later'] %}
    {{ side }} as (
        select
            pairs.rule_id,
            pairs.a_system,
            pairs.first_step,
            pairs.pair,
            pairs.earlier_system,
            pairs.grace_minutes,
            to_minutes(pairs.tolerance_minutes) as tolerance,
            list_contains(pairs.matched_on, 'each') as must_all_be_in_time,
            claims.* replace (
                case pairs.{{ side }}_time
                    when 'recorded' then claims.recorded_from
                    when 'promised' then claims.promised_at
                    else claims.occurred_from
                end as occurred_from,
                case pairs.{{ side }}_time
                    when 'recorded' then claims.recorded_to
                    when 'promised' then claims.promised_at
                    else claims.occurred_to
                end as occurred_to
            ),
            case
                when list_contains(pairs.matched_on, 'record') then claims.fact_id
                else {{ match_key('pairs.matched_on', 'claims') }}
            end as match_key
        from claims
        inner join {{ side }}_steps as pairs
            on
                claims.system = pairs.{{ side }}_system
                and claims.object_type = pairs.object_type
                and claims.milestone = pairs.milestone
        {% if side == 'later' %}
            -- What we sent ourselves comes when it comes.
            where not claims.is_echo
        {% endif %}
    ),
{% endfor %}

-- Certainly the wrong way round: the latest moment of the one lies before the earliest of the
-- other.
reversed_pairs as (
    select
        later.*,
        earlier.occurred_from as first_step_from,
        greatest(later.known_to, earlier.known_to) as begun_at,
        earlier.until_from as first_step_until_from,
        earlier.until_to as first_step_until_to,
        earlier.seen_at as first_step_seen_at,
        earlier.is_first_load as first_step_is_first_load
    from later
    inner join earlier
        on
            later.pair = earlier.pair
            and later.earlier_system = earlier.earlier_system
            and later.match_key = earlier.match_key
            and earlier.occurred_from > later.occurred_to + later.tolerance
    where
        not earlier.is_echo
        and coalesce(later.until_to, 'infinity') > greatest(later.known_to, earlier.known_to)
        and coalesce(earlier.until_to, 'infinity') > greatest(later.known_to, earlier.known_to)
),

violations as (
    select
        rule_id,
        a_system,
        first_step,
        pair,
        match_key,
        fact_id,
        nth_date,
        any_value(record_id) as record_id,
        any_value(milestone) as milestone,
        any_value(ordinal) as ordinal,
        any_value(object_type) as object_type,
        any_value(object_id) as object_id,
        any_value(order_id) as order_id,
        any_value(order_line_id) as order_line_id,
        any_value(document) as document,
        any_value(own_document) as own_document,
        any_value(line_record) as line_record,
        any_value(item_id) as item_id,
        any_value(location_id) as location_id,
        any_value(quantity) as quantity,
        any_value(raw_key) as raw_key,
        any_value(tolerance) as tolerance,
        any_value(grace_minutes) as grace_minutes,
        any_value(occurred_to) as occurred_to,
        any_value(until_from) as until_from,
        any_value(until_to) as until_to,
        any_value(until_reason) as until_reason,
        min(first_step_from) as first_step_from,
        min(begun_at) as begun_at,
        case when count(*) = count(first_step_until_to) then max(first_step_until_from) end
            as first_steps_until_from,
        case when count(*) = count(first_step_until_to) then max(first_step_until_to) end
            as first_steps_until_to,
        max(greatest(seen_at, first_step_seen_at)) as first_seen_at,
        bool_and(is_first_load and first_step_is_first_load) as is_first_load
    from reversed_pairs
    group by rule_id, a_system, first_step, pair, match_key, fact_id, nth_date
),

-- A first step that did happen in time, even if it was told late, puts the order right.
put_right as (
    select
        violations.pair,
        violations.fact_id,
        violations.nth_date,
        min(earlier.known_from) as known_from,
        min(earlier.known_to) as known_to
    from violations
    inner join earlier
        on
            violations.pair = earlier.pair
            and violations.match_key = earlier.match_key
            and violations.occurred_to + violations.tolerance >= earlier.occurred_from
    where
        not earlier.must_all_be_in_time
        and coalesce(earlier.until_to, 'infinity') > violations.begun_at
    group by violations.pair, violations.fact_id, violations.nth_date
),

judged as (
    select
        violations.*,
        violations.begun_at + to_minutes(violations.grace_minutes) as due_at,
        least(violations.until_from, violations.first_steps_until_from, put_right.known_from)
            as end_from,
        least(violations.until_to, violations.first_steps_until_to, put_right.known_to) as end_to,
        case
            when
                put_right.known_to
                <= least(violations.until_to, violations.first_steps_until_to, put_right.known_to)
                then 'put_right'
            when
                violations.until_to <= least(violations.until_to, violations.first_steps_until_to)
                then violations.until_reason
            when violations.first_steps_until_to is not null then 'put_right'
        end as end_reason
    from violations
    left join put_right
        on
            violations.pair = put_right.pair
            and violations.fact_id = put_right.fact_id
            and violations.nth_date = put_right.nth_date
)

select
    rule_id,
    a_system,
    record_id as a_record_id,
    milestone,
    cast(ordinal * 1000 + nth_date as integer) as ordinal,
    object_type,
    object_id,
    order_id,
    order_line_id,
    document,
    own_document,
    line_record,
    first_step as field,
    item_id,
    location_id,
    quantity,
    'after ' || first_step || ' ' || {{ iso_text('first_step_from') }} as expected_value,
    {{ iso_text('occurred_to') }} as observed_value,
    true as is_linked,
    due_at,
    end_from,
    end_to,
    end_reason,
    first_seen_at,
    is_first_load,
    raw_key
from judged
where coalesce(end_from > due_at, true)
