-- Credit memos and payments posted in the ERP, one row a version of a line.
with landed as (
    {{ versions('demo_erp', 'settlement_lines') }}
)

select
    landed.set_no as settlement_number,
    landed.pos as position_number,
    landed.typ as settlement_type,
    -- A reason that a seed knows says more than the type: an allowance needs no return.
    coalesce(reasons.canonical_value, types.canonical_value) as milestone,
    landed.doc_no,
    landed.inv_no as invoice_number,
    landed.rma_no as return_number,
    landed.reason,
    landed.cust_no as customer_number,
    landed.bank_ref as bank_reference,
    landed.amt as settled_amount,
    landed.curr as currency,
    landed.stat as status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.stat', 'states.canonical_value') }} as status_mapping_method,
    landed.row_version as record_version,
    landed.qty as quantity,
    landed.prc as unit_price,
    landed.origin,
    {{ local_instant('landed.posted', 'posted') }},
    {{ local_instant('landed.voided', 'voided') }},
    {{ local_instant('landed.modified', 'updated') }},
    {{ provenance() }}
from landed
{% for field, joined in [('stat', 'states'), ('typ', 'types'), ('reason', 'reasons')] %}
    left join {{ ref('status_map') }} as {{ joined }}
        on
            {{ joined }}.connector = 'demo_erp'
            and {{ joined }}.entity = 'settlement_lines'
            and {{ joined }}.field = '{{ field }}'
            and landed.{{ field }} = {{ joined }}.source_value
{% endfor %}
