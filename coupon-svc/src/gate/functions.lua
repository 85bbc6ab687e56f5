-- The gate of one campaign: it lets as many through to Postgres as there are coupons. Postgres alone grants one.
--
-- KEYS[1] is <prefix>m. Every other key has the same prefix, and with it the same hash tag.
--
--   m     hash   version of the campaign that it goes by, open and close ms, limit; count: places taken, won: those of them that are
--                coupons. It is there when the gate is built.
--   p     zset   account .. coupon -> until when whoever was let through has time to get it, ms
--   a:B   hash   account -> places; bucket B of many, small enough to stay packed
local F = {}

-- A function, because redis.call does not exist yet while a library is loaded.
local function call(...)
  return redis.call(...)
end

local function prefix(keys)
  return string.sub(keys[1], 1, -2)
end

local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local PASS, HAS, FULL, CROWDED, EARLY, LATE = 1, 2, 3, 4, 5, 6

-- How long keys stay after the window, ms: nobody has to remove them.
local KEEP = 86400000

-- One place of an account more.
local function add(P, bucket, account, close)
  call('HINCRBY', P .. 'a:' .. bucket, account, 1)
  call('PEXPIREAT', P .. 'a:' .. bucket, math.max(close, clock()) + KEEP)
end

-- One place of an account less.
local function give_back(P, bucket, account)
  if call('HINCRBY', P .. 'a:' .. bucket, account, -1) <= 0 then
    call('HDEL', P .. 'a:' .. bucket, account)
  end
  call('HINCRBY', P .. 'm', 'count', -1)
end

-- claim: version open close limit pause, then bucket account coupon of each. Answers a code for each; one number alone when the gate is not
-- built (0) or goes by a newer version (-1). Whoever has a place already is Postgres' business: it may be the same request again.
function F.claim(keys, args)
  local P = prefix(keys)
  local m = call('HMGET', P .. 'm', 'version', 'open', 'close', 'limit', 'count', 'won')
  if not m[1] then
    return 0
  end
  local version = tonumber(args[1])
  if version < tonumber(m[1]) then
    return -1
  end
  if version > tonumber(m[1]) then
    call('HSET', P .. 'm', 'version', args[1], 'open', args[2], 'close', args[3], 'limit', args[4])
    m[2], m[3], m[4] = args[2], args[3], args[4]
  end
  local now = clock()
  local open, close, limit = tonumber(m[2]), tonumber(m[3]), tonumber(m[4])
  local count, won = tonumber(m[5]), tonumber(m[6])
  local before = count
  local pause = tonumber(args[5])
  local codes = {}
  for i = 6, #args, 3 do
    local bucket, account, coupon = args[i], args[i + 1], args[i + 2]
    local code
    local places = tonumber(call('HGET', P .. 'a:' .. bucket, account) or 0)
    if places > 0 then
      local ends = call('ZSCORE', P .. 'p', account .. coupon)
      code = ends and tonumber(ends) > now and PASS or HAS
    elseif now >= close then
      code = LATE
    elseif now < open then
      code = EARLY
    elseif count >= limit then
      code = won >= limit and FULL or CROWDED
    else
      add(P, bucket, account, close)
      call('ZADD', P .. 'p', now + pause, account .. coupon)
      count = count + 1
      code = PASS
    end
    codes[#codes + 1] = code
  end
  if count ~= before then
    call('HSET', P .. 'm', 'count', count)
    call('PEXPIREAT', P .. 'p', close + KEEP)
  end
  return codes
end

-- settle: what bucket account coupon of each. What became of those who were let through: 'w' they have it, 'l' they do not, 'n' it is new and
-- perhaps nobody let them through here.
function F.settle(keys, args)
  local P = prefix(keys)
  local close = tonumber(call('HGET', P .. 'm', 'close') or nil)
  if not close then
    return 0
  end
  for i = 1, #args, 4 do
    local what, bucket, account, coupon = args[i], args[i + 1], args[i + 2], args[i + 3]
    local through = call('ZREM', P .. 'p', account .. coupon) == 1
    if what == 'l' then
      if through then
        give_back(P, bucket, account)
      end
    elseif through then
      call('HINCRBY', P .. 'm', 'won', 1)
    elseif what == 'n' then
      add(P, bucket, account, close)
      call('HINCRBY', P .. 'm', 'count', 1)
      call('HINCRBY', P .. 'm', 'won', 1)
    end
  end
  return 1
end

-- late: most. Whose time is over and about whom nobody said anything: at most so many.
function F.late(keys, args)
  return call('ZRANGEBYSCORE', prefix(keys) .. 'p', '-inf', clock(), 'LIMIT', 0, args[1])
end

-- load: close, then bucket account places of each, of a gate that is being built.
function F.load(keys, args)
  local P = prefix(keys)
  for i = 2, #args, 3 do
    call('HSET', P .. 'a:' .. args[i], args[i + 1], args[i + 2])
    call('PEXPIREAT', P .. 'a:' .. args[i], args[1] + KEEP)
  end
  return 1
end

-- build: version open close limit issued. The gate is built, unless it is already.
function F.build(keys, args)
  local P = prefix(keys)
  if call('EXISTS', P .. 'm') == 0 then
    call('HSET', P .. 'm', 'version', args[1], 'open', args[2], 'close', args[3], 'limit', args[4], 'count', args[5], 'won', args[5])
    call('PEXPIREAT', P .. 'm', args[3] + KEEP)
  end
  return 1
end

-- state: count, won, and how many are on their way.
function F.state(keys)
  local P = prefix(keys)
  local m = call('HMGET', P .. 'm', 'count', 'won')
  if not m[1] then
    return {}
  end
  return {tonumber(m[1]), tonumber(m[2]), call('ZCARD', P .. 'p')}
end

-- correct: seen issued. Counts as Postgres does, if nobody is on the way and nothing happened since `seen`.
function F.correct(keys, args)
  local P = prefix(keys)
  local m = call('HMGET', P .. 'm', 'count', 'won')
  if not m[1] or call('ZCARD', P .. 'p') > 0 or m[1] .. ':' .. m[2] ~= args[1] then
    return 0
  end
  call('HSET', P .. 'm', 'count', args[2], 'won', args[2])
  return 1
end
