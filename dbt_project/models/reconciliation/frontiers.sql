-- How far each rule may judge: the least watermark of its evidence. A feed that never came: never.
-- A rule about feeds judges each by itself: by what it told (*.feed), or by when we tried (*.log).
select
    evidence.rule_id,
    evidence.a_system,
    cast(null as varchar) as entity,
    case
        when count(*) = count(watermarks.watermark_at) then min(watermarks.watermark_at)
    end as frontier_at,
    arg_min(
        evidence.system || '.' || evidence.entity,
        coalesce(watermarks.watermark_at, timestamptz '1970-01-01 00:00:00+00')
    ) as slowest_feed
from {{ ref('rule_evidence') }} as evidence
left join {{ ref('feed_watermarks') }} as watermarks
    on evidence.system = watermarks.system and evidence.entity = watermarks.entity
group by evidence.rule_id, evidence.a_system
union all
select
    rules.rule_id,
    watermarks.system as a_system,
    watermarks.entity,
    case rules.evidence
        when '*.log' then max(watermarks.last_attempt_at) else min(watermarks.watermark_at)
    end as frontier_at,
    arg_min(
        watermarks.system || '.' || watermarks.entity,
        coalesce(watermarks.watermark_at, timestamptz '1970-01-01 00:00:00+00')
    ) as slowest_feed
from {{ ref('rules') }} as rules
cross join {{ ref('feed_watermarks') }} as watermarks
where rules.family = 'feed'
group by
    grouping sets (
        (rules.rule_id, rules.evidence, watermarks.system, watermarks.entity),
        (rules.rule_id, rules.evidence, watermarks.system)
    )
