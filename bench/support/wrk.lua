-- Arguments: a file with one path a line, and the Accept header. Prints one line of JSON for wrk.ts.
local requests = {}
local position = 0

function init(arguments)
  local headers = { Accept = arguments[2] }
  for path in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  local failures = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    'RESULT {"requestsPerSecond":%.1f,"medianMs":%.3f,"p99Ms":%.3f,"failures":%d}\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1000, latency:percentile(99) / 1000, failures))
end
