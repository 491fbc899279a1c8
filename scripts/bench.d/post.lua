-- wrk script: POST of 2 KB; DELAY milliseconds between an answer and the next request of a connection.
wrk.method = "POST"
wrk.body = string.rep("umbra mirrors 2K", 128)
wrk.headers["Content-Type"] = "application/octet-stream"

local pause = tonumber(os.getenv("DELAY") or "0")
if pause > 0 then
    function delay()
        return pause
    end
end

function done(summary, latency, requests)
    local e = summary.errors
    io.stderr:write(string.format('{"requests":%d,"seconds":%.6f,"errors":%d,"p50":%.1f,"p99":%.1f}\n',
        summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
