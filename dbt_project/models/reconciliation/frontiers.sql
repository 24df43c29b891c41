-- How far each rule may judge: the least watermark of its evidence. A feed that never came: never.
select
    evidence.rule_id,
    evidence.a_system,
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
