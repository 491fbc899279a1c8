// What a real agent answered to `umbra status -o json` (one worker and four limits of it) and `umbra ledger -o json`.
#pragma once

namespace umbra::metrics {

inline constexpr const char* kRealStatus = R"json({
 "version": "0.1.0",
 "abi": 1,
 "pid": 6537,
 "socket": "/tmp/umbra-lab-6388-zz11lyf5/agent.sock",
 "mode": "strict",
 "injected_loss": "",
 "workers_count": 2,
 "kernel": "6.18.44-fc-v657",
 "hook": "tcx",
 "generation": 1,
 "terminator": "running",
 "restarts": 0,
 "capture_device": "umbra0",
 "capture_device_ip": "umbra1",
 "attach_points": [
  {"device": "to-v1", "ifindex": 3, "hook": "tcx", "ingress_program": 14200, "egress_program": 14202, "why": "behind this device"}],
 "rules": [
  {"rule": "default/mirror-traffic-to-httbin-v2", "precedence": 11, "mirror": "httpbin.default.svc.cluster.local version=v2", "origins": 2, "mirror_endpoints": 2, "status": "mirroring"}],
 "remote_endpoints": [],
 "processes": [
  {"role": "loader", "pid": 6537, "uid": "0", "capabilities": "0000008000001000", "permitted": "00000080000011c0", "no_new_privs": true, "threads": "1", "resident_bytes": 12939264},
  {"role": "terminator", "pid": 6580, "uid": "65534", "capabilities": "0000000000000000", "permitted": "0000000000000000", "no_new_privs": true, "threads": "3", "resident_bytes": 12734464}],
 "workers": [
  {"worker": 0, "generation": 1, "flows": 0, "one_sided": 0, "embryos": 0, "connections": 0, "reassembly_bytes": 0, "queued_bytes": 0, "captured_packets": 33, "captured_bytes": 82195, "foreign_packets": 0, "server_records": 37, "bad_records": 0, "partial_checksums": 33, "flows_opened": 1, "flows_joined": 0, "one_sided_flows": 0, "gaps": 0, "broken_flows": 0, "injected_losses": 0, "responses": 20, "response_bytes": 35025, "connections_opened": 1}],
 "limits": [
  {"name": "rules", "value": "256", "meaning": "rules"},
  {"name": "endpoints", "value": "65536", "meaning": "origin endpoints"},
  {"name": "capture_queue", "value": "8192", "meaning": "packets in a worker's capture queue"},
  {"name": "flows", "value": "65536", "meaning": "flows of a worker"}]})json";

inline constexpr const char* kRealLedger = R"json({
 "closes": true,
 "rules": [
  {"rule": "default/mirror-traffic-to-httbin-v2", "kernel": {"seen": {"packets": 106, "bytes": 242548}, "cloned": {"packets": 106, "bytes": 242548}, "server": {"packets": 244, "bytes": 412708}, "bare_acks": {"packets": 112, "bytes": 0}, "dropped": {}}, "seen": {"flows": 4, "requests": 262, "bytes": 242548}, "mirrored": {"flows": 4, "requests": 262, "bytes": 242004}, "dropped": {"duplicate": {"flows": 0, "requests": 0, "bytes": 544}}, "in_flight": {"flows": 0, "requests": 0, "bytes": 0}}],
 "capture": {"cloned": 242548, "captured": 242548, "unreported": 0, "in_queue": 0},
 "imbalances": []})json";

}  // namespace umbra::metrics
