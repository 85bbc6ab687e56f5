-- view: then for each known chunk: lane chunk version. The room as it is: settings, counts, and the bits of chunks that changed.
function F.view(keys, args)
  local P = prefix(keys)
  local now = clock(P)
  local known = {}
  for i = 2, #args, 3 do
    known[args[i] .. ':' .. args[i + 1]] = args[i + 2]
  end
  local most = tonumber(args[1])
  local chunks = {}
  local left = 0
  for lane = 1, LANES do
    local versions = call('HGETALL', P .. 'v:' .. lane)
    for i = 1, #versions, 2 do
      local at = lane .. ':' .. versions[i]
      if known[at] ~= versions[i + 1] then
        if #chunks < most then
          chunks[#chunks + 1] = { lane, tonumber(versions[i]), versions[i + 1], call('GET', P .. 'a:' .. at) or '' }
        else
          left = left + 1
        end
      end
    end
  end
  return { fence(P), int(now), call('HGETALL', P .. 'm'), chunks, left, call('ZCARD', P .. 'slots'), call('ZRANGE', P .. 'late', 0, 19999), call('ZCARD', P .. 'late') }
end
