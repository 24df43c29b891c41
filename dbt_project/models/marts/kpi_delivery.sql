-- Deliveries against their promise, by system, vendor and mode; days, not times of day.
select
    system,
    vendor,
    mode,
    -- Lines with a delivery and a promise; only they can be late.
    count(late_days) as delivered_lines,
    count(*) filter (where late_days > 0) as late_lines,
    count(*) filter (where late_days < 0) as early_lines,
    count(*) filter (where late_days = 0) as on_date_lines,
    count(*) filter (where delivered_on is null) as undelivered_lines,
    -- On time is by the promised day: early counts. Null when nothing was delivered.
    count(*) filter (where late_days <= 0) / nullif(count(late_days), 0) as on_time_share,
    quantile_cont(late_days, 0.9) as late_days_p90
from {{ ref('purchase_order_deliveries') }}
group by system, vendor, mode
