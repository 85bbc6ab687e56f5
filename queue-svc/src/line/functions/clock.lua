-- Where the line takes time and the name of its server from.
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local process

-- Which history of data this is: the process, and the history that it took over when it was promoted. A restart changes the one, a
-- failover the other, also one that comes back to the same process. Functions keep `process` as long as the server lives.
local function fence()
  if not process then
    process = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  end
  return process .. ':' .. string.match(redis.call('INFO', 'replication'), 'master_replid2:(%w+)')
end
