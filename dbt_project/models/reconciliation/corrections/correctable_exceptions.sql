-- Unmet duties that some correction would end, where it would go, and whether it may go now.
with unmet as (
    select *
    from {{ ref('judged_exceptions') }}
    where status in ('open', 'pending') and end_to is null
),

-- Where several fields are compared, each has a kind of its own; else the rule has one.
rule_kinds as (
    select
        rules.rule_id,
        fields.field,
        coalesce(fields.correction_kind, rules.correction_kind) as kind,
        rules.a_role,
        rules.b_role,
        rules.target_role,
        {{ list_of('rules.depends_on') }} as depends_on,
        coalesce(fields.object_type, split_part(rules.decided_by, '.', 1)) as decided_object,
        coalesce(fields.field, split_part(rules.decided_by, '.', 2)) as decided_field,
        coalesce(rules.decided_by, fields.field) is not null as has_authority
    from {{ ref('rules') }} as rules
    left join {{ ref('compared_fields') }} as fields
        on rules.rule_id = fields.rule_id
    where coalesce(fields.correction_kind, rules.correction_kind) is not null
),

-- The copy follows the authority; a rule that names its target must not aim at the authority.
aimed as (
    select
        unmet.*,
        rule_kinds.kind,
        rule_kinds.depends_on,
        authorities.authoritative_role,
        case
            when rule_kinds.target_role is not null then rule_kinds.target_role
            when authorities.authoritative_role = rule_kinds.a_role then rule_kinds.b_role
            when authorities.authoritative_role = rule_kinds.b_role then rule_kinds.a_role
        end as target_role
    from unmet
    inner join rule_kinds
        on
            unmet.rule_id = rule_kinds.rule_id
            and (rule_kinds.field is null or unmet.field = rule_kinds.field)
    left join {{ ref('authorities') }} as authorities
        on
            unmet.a_system = authorities.a_system
            and rule_kinds.decided_object = authorities.object_type
            and rule_kinds.decided_field = authorities.field
    where not rule_kinds.has_authority or authorities.authoritative_role is not null
),

routed as (
    select
        aimed.*,
        targets.system as target_system,
        deciders.system as authority_system
    from aimed
    inner join {{ ref('rule_routes') }} as targets
        on
            aimed.rule_id = targets.rule_id
            and aimed.a_system = targets.a_system
            and aimed.target_role = targets.role
            -- Of several counterparts the one that was compared, if one was.
            and coalesce(targets.system in (aimed.a_system, aimed.b_system), true)
    inner join {{ ref('correction_kinds') }} as kinds
        on aimed.kind = kinds.kind and aimed.target_role = kinds.target_role
    left join {{ ref('rule_routes') }} as deciders
        on
            aimed.rule_id = deciders.rule_id
            and aimed.a_system = deciders.a_system
            and aimed.authoritative_role = deciders.role
            and coalesce(deciders.system in (aimed.a_system, aimed.b_system), true)
    where aimed.target_role is distinct from aimed.authoritative_role
),

-- By what an unmet duty may be the cause of another one: the line, the document, the whole order
-- where it concerns more than a line, the stock position.
causes as (
    select
        rule_id,
        family,
        due_at,
        status,
        unnest(list_filter([
            'line:' || order_line_id,
            'document:' || document,
            'document:' || own_document,
            case when order_line_id is null then 'whole:' || order_id end,
            'part:' || order_id,
            'item:' || item_id || coalesce('@' || location_id, '')
        ], lambda link: link is not null)) as link
    from unmet
),

effects as (
    select
        obligation_id,
        frontier_at,
        unnest(depends_on) as cause_rule_id,
        links.link
    from (
        select distinct
            obligation_id,
            frontier_at,
            depends_on,
            list_filter([
                'line:' || order_line_id,
                'document:' || document,
                'document:' || own_document,
                'whole:' || order_id,
                case when order_line_id is null then 'part:' || order_id end,
                case when object_type = 'position' then 'item:' || item_id end,
                case when object_type = 'position' then 'item:' || item_id || '@' || location_id end
            ], lambda link: link is not null) as links
        from routed
    ) as linked
    cross join unnest(linked.links) as links (link)
),

withheld as (
    select
        effects.obligation_id,
        string_agg(distinct causes.rule_id, ', ' order by causes.rule_id) as cause_rule_ids
    from effects
    inner join causes
        on effects.cause_rule_id = causes.rule_id and effects.link = causes.link
    -- A cause that is due and can't be judged yet is no less a cause, nor is a difference of
    -- balances that nothing has confirmed yet.
    where
        causes.status = 'open'
        or causes.due_at <= effects.frontier_at
        or (causes.family = 'balance' and causes.due_at is null)
    group by effects.obligation_id
),

reasoned as (
    select
        routed.*,
        case
            when routed.status = 'pending' then coalesce(routed.held_reason, 'not due yet')
            when withheld.cause_rule_ids is not null
                then 'waits for the correction of ' || withheld.cause_rule_ids
            when not routed.is_first_load and routed.frontier_at < routed.first_seen_at
                then 'seen once only'
        end as withheld_reason
    from routed
    left join withheld
        on routed.obligation_id = withheld.obligation_id
)

select
    obligation_id,
    rule_id,
    a_system,
    a_record_id,
    milestone,
    object_type,
    object_id,
    order_id,
    order_line_id,
    document,
    own_document,
    line_record,
    field,
    item_id,
    location_id,
    quantity,
    try_cast(expected_value as decimal(18, 6)) as expected_decimal,
    try_cast(observed_value as decimal(18, 6)) as observed_decimal,
    value_at_risk,
    currency,
    due_at,
    first_seen_at,
    frontier_at,
    raw_key,
    kind,
    target_role,
    target_system,
    authority_system,
    withheld_reason,
    withheld_reason is null as is_ready
from reasoned
