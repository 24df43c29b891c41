-- Accounting periods of the ERP, one row a version.
with landed as (
    {{ versions('demo_erp', 'periods') }}
)

select
    landed.period as accounting_period,
    landed.stat as status,
    landed.accrued as accrued_amount,
    landed.curr as currency,
    landed.row_version as record_version,
    {{ local_instant('landed.opened', 'opened') }},
    {{ local_instant('landed.closed', 'closed') }},
    {{ local_instant('landed.modified', 'updated') }},
    {{ provenance() }}
from landed
