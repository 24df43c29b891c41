-- What two systems' balances differ by after all movements, at one moment for each snapshot of the
-- copy. Each side is rolled from its nearest snapshot by its own ledger; of a rule that holds a
-- system against its own ledger (cover ledger) the authority is what it showed first.
with rules as (
    select
        rules.rule_id,
        rules.a_milestone as state,
        rules.a_role,
        rules.b_role,
        coalesce(rules.cover = 'ledger', false) as is_own_ledger,
        a_routes.a_system,
        b_routes.system as b_system,
        coalesce(authorities.authoritative_role, rules.a_role) as authoritative_role
    from {{ ref('rules_in_force') }} as rules
    {{ instances_of_both_sides() }}
    left join {{ ref('authorities') }} as authorities
        on
            rules.object_type = authorities.object_type
            and rules.a_milestone = authorities.field
            and a_routes.a_system = authorities.a_system
    where
        rules.family = 'balance'
        and coalesce(rules.cover, '') not in ('at_least', 'at_most', 'whole_packs')
),

pairs as (
    select
        *,
        case when authoritative_role = a_role then a_system else b_system end
            as authority_system,
        case when authoritative_role = a_role then b_system else a_system end as copy_system
    from rules
),

snapshots as (
    select
        system,
        state,
        extraction_id,
        min(as_of) as taken_at
    from {{ ref('position_balances') }}
    group by system, state, extraction_id
),

-- What came to be listed later is held against its own first balance.
first_balances as (
    select
        balances.system,
        balances.state,
        balances.item_id,
        balances.location_id,
        arg_min(balances.extraction_id, balances.as_of) as extraction_id
    from {{ ref('position_balances') }} as balances
    semi join pairs
        on balances.system = pairs.authority_system and pairs.is_own_ledger
    where balances.quantity is not null
    group by balances.system, balances.state, balances.item_id, balances.location_id
),

-- Moments up to which every feed of the rule has told all.
known_moments as (
    select distinct
        evidence.rule_id,
        evidence.a_system,
        extractions.watermark_at as judged_at
    from {{ ref('rule_evidence') }} as evidence
    inner join {{ ref('stg_log__extractions') }} as extractions
        on evidence.system = extractions.system and evidence.entity = extractions.entity
    inner join {{ ref('frontiers') }} as frontiers
        on evidence.rule_id = frontiers.rule_id and evidence.a_system = frontiers.a_system
    where extractions.watermark_at <= frontiers.frontier_at
),

-- Not before both ledgers began: a balance can't be rolled back to where nothing tells what moved.
moments_of_pairs as (
    select
        pairs.*,
        known_moments.judged_at
    from known_moments
    inner join pairs
        on
            known_moments.rule_id = pairs.rule_id
            and known_moments.a_system = pairs.a_system
    inner join {{ ref('ledger_beginnings') }} as copies
        on pairs.copy_system = copies.system
    inner join {{ ref('ledger_beginnings') }} as authorities
        on pairs.authority_system = authorities.system
    where known_moments.judged_at >= greatest(copies.began_at, authorities.began_at)
),

-- Of the snapshots right before and right after a moment, the nearer one.
{% for side in ['copy', 'authority'] %}
    {{ side }}_before as (
        select
            moments.*,
            snapshots.extraction_id as before_id,
            snapshots.taken_at as before_at
        from moments_of_pairs as moments
        asof left join snapshots
            on
                moments.{{ side }}_system = snapshots.system
                and moments.state = snapshots.state
                and moments.judged_at >= snapshots.taken_at
    ),

    {{ side }}_nearest as (
        select
            moments.rule_id,
            moments.a_system,
            moments.b_system,
            moments.judged_at,
            case
                when
                    moments.before_at is null
                    or snapshots.taken_at - moments.judged_at
                    < moments.judged_at - moments.before_at
                    then snapshots.extraction_id
                else moments.before_id
            end as extraction_id
        from {{ side }}_before as moments
        asof left join snapshots
            on
                moments.{{ side }}_system = snapshots.system
                and moments.state = snapshots.state
                and moments.judged_at < snapshots.taken_at
    ),
{% endfor %}

-- Each snapshot of the copy is judged once, at its first moment: later ones come to be known as the
-- frontier moves on, and a judgement that moved with it would change what was said before.
moments as (
    select
        moments_of_pairs.*,
        copy_nearest.extraction_id as copy_extraction_id,
        authority_nearest.extraction_id as authority_extraction_id
    from moments_of_pairs
    inner join copy_nearest
        on
            moments_of_pairs.rule_id = copy_nearest.rule_id
            and moments_of_pairs.a_system = copy_nearest.a_system
            and moments_of_pairs.b_system = copy_nearest.b_system
            and moments_of_pairs.judged_at = copy_nearest.judged_at
    inner join authority_nearest
        on
            moments_of_pairs.rule_id = authority_nearest.rule_id
            and moments_of_pairs.a_system = authority_nearest.a_system
            and moments_of_pairs.b_system = authority_nearest.b_system
            and moments_of_pairs.judged_at = authority_nearest.judged_at
    where copy_nearest.extraction_id is not null
    qualify
        row_number() over (
            partition by
                moments_of_pairs.rule_id, moments_of_pairs.a_system, moments_of_pairs.b_system,
                copy_nearest.extraction_id
            order by moments_of_pairs.judged_at
        ) = 1
),

-- Both balances of a position, side by side; where one system shows none there is nothing to judge.
balances as (
    select
        moments.rule_id,
        moments.a_system,
        moments.b_system,
        moments.copy_system,
        moments.authority_system,
        moments.state,
        moments.is_own_ledger,
        moments.judged_at,
        copies.item_id,
        copies.location_id,
        copies.source_item as copy_item,
        copies.source_location as copy_location,
        copies.record_id as copy_record_id,
        copies.raw_key as copy_raw_key,
        copies.quantity as copy_quantity,
        copies.as_of_from as copy_as_of_from,
        copies.as_of_to as copy_as_of_to,
        copies.as_of as copy_as_of,
        copies.seen_at as copy_seen_at,
        authorities.quantity as authority_quantity,
        authorities.as_of_from as authority_as_of_from,
        authorities.as_of_to as authority_as_of_to,
        authorities.as_of as authority_as_of,
        authorities.seen_at as authority_seen_at
    from moments
    inner join {{ ref('position_balances') }} as copies
        on
            moments.copy_system = copies.system
            and moments.copy_extraction_id = copies.extraction_id
            and moments.state = copies.state
    left join first_balances
        on
            moments.is_own_ledger
            and copies.system = first_balances.system
            and copies.state = first_balances.state
            and copies.item_id = first_balances.item_id
            and copies.location_id = first_balances.location_id
    inner join {{ ref('position_balances') }} as authorities
        on
            moments.authority_system = authorities.system
            and coalesce(first_balances.extraction_id, moments.authority_extraction_id)
            = authorities.extraction_id
            and moments.state = authorities.state
            and copies.item_id = authorities.item_id
            and copies.location_id = authorities.location_id
),

-- Running totals, so that a balance at any moment is one look-up.
by_end as (
    select
        system,
        state,
        item_id,
        location_id,
        recorded_to as moment,
        sum(change) over up_to_now as total_change,
        sum(explained_change) over up_to_now as total_explained,
        count(*) over up_to_now as ended_count
    from {{ ref('stock_ledger') }}
    window up_to_now as (
        partition by system, state, item_id, location_id order by recorded_to
    )
),

by_start as (
    select
        system,
        state,
        item_id,
        location_id,
        recorded_from as moment,
        count(*) over up_to_now as started_count,
        max(seen_at) over up_to_now as last_seen_at
    from {{ ref('stock_ledger') }}
    window up_to_now as (
        partition by system, state, item_id, location_id order by recorded_from
    )
),

-- The three moments at which each side's ledger is read: its snapshot, and the moment judged.
questions as (
    {% for side in ['copy', 'authority'] %}
        {% for boundary in ['snapshot', 'judged'] %}
            select
                rule_id,
                a_system,
                b_system,
                judged_at,
                state,
                item_id,
                location_id,
                '{{ side }}' as side,
                '{{ boundary }}' as boundary,
                {{ side }}_system as system,
                {% if boundary == 'judged' %}
                    judged_at as moment_from,
                    judged_at as moment_to,
                    cast(null as timestamptz) as own_seen_at
                {% else %}
                    {{ side }}_as_of_from as moment_from,
                    {{ side }}_as_of_to as moment_to,
                    case when is_own_ledger then {{ side }}_seen_at end as own_seen_at
                {% endif %}
            from balances
            {% if not (side == 'authority' and boundary == 'judged') %}
                union all
            {% endif %}
        {% endfor %}
    {% endfor %}
),

ended as (
    select
        questions.*,
        coalesce(by_end.total_change, 0) as total_change,
        coalesce(by_end.total_explained, 0) as total_explained,
        coalesce(by_end.ended_count, 0) as ended_count
    from questions
    asof left join by_end
        on
            questions.system = by_end.system
            and questions.state = by_end.state
            and questions.item_id = by_end.item_id
            and questions.location_id = by_end.location_id
            and questions.moment_from >= by_end.moment
),

answers as (
    select
        ended.*,
        -- Begun by then, but not surely over: on which side of the moment it falls nobody can tell.
        coalesce(by_start.started_count, 0) > ended.ended_count
        -- Dated before a snapshot and told after it: whether that snapshot held it, nobody knows.
        or coalesce(by_start.last_seen_at > ended.own_seen_at, false) as is_ambiguous
    from ended
    asof left join by_start
        on
            ended.system = by_start.system
            and ended.state = by_start.state
            and ended.item_id = by_start.item_id
            and ended.location_id = by_start.location_id
            and ended.moment_to >= by_start.moment
),

totals as (
    select
        rule_id,
        a_system,
        b_system,
        judged_at,
        item_id,
        location_id,
        sum(total_change) filter (where side = 'copy' and boundary = 'judged')
        - sum(total_change) filter (where side = 'copy' and boundary = 'snapshot')
            as copy_change,
        sum(total_change) filter (where side = 'authority' and boundary = 'judged')
        - sum(total_change) filter (where side = 'authority' and boundary = 'snapshot')
            as authority_change,
        sum(total_explained) filter (where side = 'copy' and boundary = 'judged')
        - sum(total_explained) filter (where side = 'authority' and boundary = 'judged')
            as explained_difference,
        bool_or(is_ambiguous) as is_ambiguous
    from answers
    group by rule_id, a_system, b_system, judged_at, item_id, location_id
),

-- What only one of the two ledgers can tell, because the other began later, explains nothing.
unshared as (
    select
        copy_system,
        authority_system,
        state,
        item_id,
        location_id,
        sum(explained_difference) as explained_difference
    from (
        {% for copy, authority, sign in [
            ('system', 'other_system', 1), ('other_system', 'system', -1),
        ] %}
            select
                {{ copy }} as copy_system,
                {{ authority }} as authority_system,
                state,
                item_id,
                location_id,
                {{ sign }} * explained_change as explained_difference
            from {{ ref('unshared_movements') }}
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ) as of_both_sides
    group by copy_system, authority_system, state, item_id, location_id
)

select
    balances.rule_id,
    balances.a_system,
    balances.b_system,
    balances.copy_system,
    balances.state,
    balances.judged_at,
    balances.item_id,
    balances.location_id,
    balances.copy_item,
    balances.copy_location,
    balances.copy_record_id,
    balances.copy_quantity as copy_snapshot_quantity,
    balances.copy_as_of as copy_snapshot_at,
    balances.copy_seen_at,
    balances.copy_raw_key,
    try_cast(balances.copy_quantity + totals.copy_change as decimal(18, 6)) as copy_quantity,
    try_cast(balances.authority_quantity + totals.authority_change as decimal(18, 6))
        as authority_quantity,
    try_cast(
        totals.explained_difference - coalesce(unshared.explained_difference, 0) as decimal(18, 6)
    ) as explained_quantity,
    try_cast(
        balances.copy_quantity + totals.copy_change
        - balances.authority_quantity - totals.authority_change
        - (totals.explained_difference - coalesce(unshared.explained_difference, 0))
        as decimal(18, 6)
    ) as residual_quantity,
    totals.is_ambiguous
from balances
inner join totals
    on
        balances.rule_id = totals.rule_id
        and balances.a_system = totals.a_system
        and balances.b_system = totals.b_system
        and balances.judged_at = totals.judged_at
        and balances.item_id = totals.item_id
        and balances.location_id = totals.location_id
left join unshared
    on
        balances.copy_system = unshared.copy_system
        and balances.authority_system = unshared.authority_system
        and balances.state = unshared.state
        and balances.item_id = unshared.item_id
        and balances.location_id = unshared.location_id
