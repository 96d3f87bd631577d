-- Takes of accounts, all or none. Every key is {prefix}-tagged, so that one server has all of them.
-- KEYS: 1 the leases, 2 the mark that the book is whole, then one for each account.
-- ARGV: 1 now (ms), 2 the lease (ms), 3 the prefix of holds, 4 that of tombstones, 5 the usual lease (ms), 6 until when it
--   is wanted by the server's clock (ms, 0 for ever): a server that was stopped does nothing that nobody waits for any more,
--   then for each account: bound, slot, span (from the first slot that counts to the last), the first slot that is too far
--   ahead to be true (0 none), expiry (ms, 0 none), amount, 1 where the hold will grow, 1 where the amount is spent at once, the
--   hold's id.
-- Returns {'lost'}, {'settled', hold}, {'late'}, {'ok', then for each account: slot, spent, held, oldest slot} or
--   {'no', line, spent, held, oldest slot}; all but the first two with the server's clock behind them.
local mark = redis.call('GET', KEYS[2])
if not mark then return {'lost'} end

-- Holds of nodes that have died give back what they held. After a time in which the server was away nobody is taken for
-- dead before all could renew their leases (see beat.lua).
local t = redis.call('TIME')
local clock = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[6] ~= '0' and clock > tonumber(ARGV[6]) then return {'late', clock} end
local beat, grace, made = string.match(mark, '^(%d+) (%d+) (%d+)$')
beat, grace, made = tonumber(beat) or 0, tonumber(grace) or 0, tonumber(made) or 1
local usual = tonumber(ARGV[5])
if clock - beat > usual / 2 then grace = clock + usual end
if clock - beat > usual / 10 then redis.call('SET', KEYS[2], string.format('%.0f %.0f %.0f', clock, grace, made)) end
local dead = {}
if clock >= grace then dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 20) end
for _, id in ipairs(dead) do
	local parts = redis.call('HGETALL', ARGV[3] .. id)
	for i = 1, #parts, 2 do
		redis.call('HINCRBY', parts[i], 'held', 0 - tonumber(parts[i + 1]))
	end
	redis.call('DEL', ARGV[3] .. id)
	redis.call('ZREM', KEYS[1], id)
end

local width, mostSlots = 9, 90
local lines, taken, alive = {}, {}, {}
for i = 3, #KEYS do
	local at = 6 + (i - 3) * width
	local bound, slot, span, far = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
	local expiry, amount, grows, spends, id = tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6]), ARGV[at + 7] == '1', ARGV[at + 8] == '1', ARGV[at + 9]
	if alive[id] == nil then
		if redis.call('EXISTS', ARGV[4] .. id) == 1 then return {'settled', id} end
		alive[id] = true
	end
	local all = redis.call('HGETALL', KEYS[i])
	local held, latest, spent, oldest, slots = 0, 0, 0, -1, 0
	for j = 1, #all, 2 do
		if all[j] == 'held' then held = tonumber(all[j + 1]) end
		if all[j] == 'latest:' .. span then latest = tonumber(all[j + 1]) end
		if tonumber(all[j]) then slots = slots + 1 end
	end
	local ends = tonumber(ARGV[1]) -- what begins later has not come
	if far > 0 and latest >= far then
		-- The clock was wrong before. What was spent of the time that has not come counts now as well as then.
		local ahead, here = 0, 0
		for j = 1, #all, 2 do
			local s = tonumber(all[j])
			if s and s > ends then ahead = ahead + tonumber(all[j + 1]) end
			if s == slot then here = tonumber(all[j + 1]) end
		end
		latest = slot
		redis.call('HSET', KEYS[i], 'latest:' .. span, slot)
		if ahead > here then
			redis.call('HSET', KEYS[i], slot, ahead)
			all[#all + 1], all[#all + 2] = tostring(slot), tostring(ahead - here)
		end
	end
	if latest > slot then slot = latest end
	if slot > ends then ends = slot end
	for j = 1, #all, 2 do
		local s = tonumber(all[j])
		if s and s < slot - span then
			if slots > mostSlots then redis.call('HDEL', KEYS[i], all[j]) end
		elseif s and s <= ends then
			local n = tonumber(all[j + 1])
			spent = spent + n
			if n > 0 and (oldest < 0 or s < oldest) then oldest = s end
		end
	end
	if oldest < 0 then oldest = slot end
	held = held + (taken[KEYS[i]] or 0)
	local left = bound - spent - held
	if left < 0 then left = 0 end
	if amount > left or (grows and held > 0 and 2 * amount + held > left) then return {'no', i - 3, spent, held, oldest, clock} end
	taken[KEYS[i]] = (taken[KEYS[i]] or 0) + amount
	if spends then spent = spent + amount else held = held + amount end
	lines[#lines + 1] = {KEYS[i], slot, amount, expiry, span, spends, id, spent, held, oldest}
end

local out = {'ok'}
for _, l in ipairs(lines) do
	redis.call('HSET', l[1], 'latest:' .. l[5], l[2])
	if l[6] then
		redis.call('HINCRBY', l[1], l[2], l[3])
	else
		redis.call('HINCRBY', l[1], 'held', l[3])
		redis.call('HINCRBY', ARGV[3] .. l[7], l[1], l[3])
		redis.call('ZADD', KEYS[1], tonumber(ARGV[1]) + tonumber(ARGV[2]), l[7])
	end
	if l[4] > 0 then redis.call('PEXPIRE', l[1], l[4]) else redis.call('PERSIST', l[1]) end
	out[#out + 1], out[#out + 2], out[#out + 3], out[#out + 4] = l[2], l[8], l[9], l[10]
end
out[#out + 1] = clock
return out
