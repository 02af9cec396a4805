# The mapping of sipsense for flat records and for DIDWW's envelope, as far as jq can reasonably do it: a look-up by
# code, reason and initiator in the table $mapping that mapping.py makes. mapping.py says what that leaves out. Besides,
# jq writes numbers in its own way, drops all but the last of equal keys, and stops at a line that is no JSON.
{"1": "System", "2": "Destination", "3": "Origination"} as $names
| (.attributes // .) as $call
| ($call.sip_code // $call.internal_disconnect_code) as $code
| (($call.sip_reason // $call.internal_disconnect_reason // "") | ascii_downcase) as $reason
| ($call.disconnect_initiator // "" | tostring) as $number
| ($names[$number] // $number) as $initiator
| $mapping[0].rows as $rows
| ($rows["\($code)|\($reason)|\($initiator)"]
    // $rows["\($code)|\(if $reason == "" then "" else "*" end)|\($initiator)"]) as $sip
| if $sip then .sip = $sip else . end
