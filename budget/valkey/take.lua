-- Takes of accounts, all or none. Every key is {prefix}-tagged, so that one server has all of them.
-- KEYS: 1 the leases, 2 the hold, 3 its tombstone, 4 the mark that the book is whole, then one for each account.
-- ARGV: 1 now (ms), 2 the lease (ms), 3 the hold's id, 4 the prefix of holds,
--   then for each account: bound, slot, span (from the first slot that counts to the last), expiry (ms, 0 none), amount,
--   1 where the hold will grow.
-- Returns {'lost'}, {'settled'}, {'ok', slot...} or {'no', line, spent, held, oldest slot}.
if redis.call('EXISTS', KEYS[4]) == 0 then return {'lost'} end
if redis.call('EXISTS', KEYS[3]) == 1 then return {'settled'} end

-- Holds of nodes that have died give back what they held.
local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 20)
for _, id in ipairs(dead) do
	local parts = redis.call('HGETALL', ARGV[4] .. id)
	for i = 1, #parts, 2 do
		redis.call('HINCRBY', parts[i], 'held', 0 - tonumber(parts[i + 1]))
	end
	redis.call('DEL', ARGV[4] .. id)
	redis.call('ZREM', KEYS[1], id)
end

local lines, taken = {}, {}
for i = 5, #KEYS do
	local at = 4 + (i - 5) * 6
	local bound, slot, span, expiry, amount = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
	local all = redis.call('HGETALL', KEYS[i])
	local held, latest, spent, oldest = 0, 0, 0, -1
	for j = 1, #all, 2 do
		if all[j] == 'held' then held = tonumber(all[j + 1]) end
		if all[j] == 'latest:' .. span then latest = tonumber(all[j + 1]) end
	end
	if latest > slot then slot = latest end
	for j = 1, #all, 2 do
		local s = tonumber(all[j])
		if s then
			if s < slot - span then
				redis.call('HDEL', KEYS[i], all[j])
			else
				spent = spent + tonumber(all[j + 1])
				if oldest < 0 or s < oldest then oldest = s end
			end
		end
	end
	if oldest < 0 then oldest = slot end
	held = held + (taken[KEYS[i]] or 0)
	local left = bound - spent - held
	if left < 0 then left = 0 end
	if amount > left or (ARGV[at + 6] == '1' and held > 0 and 2 * amount + held > left) then return {'no', i - 5, spent, held, oldest} end
	taken[KEYS[i]] = (taken[KEYS[i]] or 0) + amount
	lines[#lines + 1] = {KEYS[i], slot, amount, expiry, span}
end

local out = {'ok'}
for _, l in ipairs(lines) do
	redis.call('HINCRBY', l[1], 'held', l[3])
	redis.call('HSET', l[1], 'latest:' .. l[5], l[2])
	if l[4] > 0 then redis.call('PEXPIRE', l[1], l[4]) else redis.call('PERSIST', l[1]) end
	redis.call('HINCRBY', KEYS[2], l[1], l[3])
	out[#out + 1] = l[2]
end
redis.call('ZADD', KEYS[1], tonumber(ARGV[1]) + tonumber(ARGV[2]), ARGV[3])
return out
