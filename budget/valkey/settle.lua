-- Ends holds: gives back what they have, and puts down what was spent. What was spent counts also where a hold's lease
-- had run out, but only once.
-- KEYS: 1 the leases, 2 the mark that the book is whole, then one for each account.
-- ARGV: 1 the prefix of holds, 2 that of tombstones, 3 how long a tombstone stays (ms), 4 how many holds there are, their
--   ids, then for each account: the number of its hold, slot, what was spent besides what is put down as spent already.
-- Returns how many of the holds were not settled before, or -1 where the book is not whole: what is on record has to be told first.
if redis.call('EXISTS', KEYS[2]) == 0 then return -1 end
local open, n = {}, 0
for i = 1, tonumber(ARGV[4]) do
	local id = ARGV[4 + i]
	if redis.call('EXISTS', ARGV[2] .. id) == 0 then
		redis.call('SET', ARGV[2] .. id, '', 'PX', ARGV[3])
		local parts = redis.call('HGETALL', ARGV[1] .. id)
		for j = 1, #parts, 2 do
			redis.call('HINCRBY', parts[j], 'held', 0 - tonumber(parts[j + 1]))
		end
		redis.call('DEL', ARGV[1] .. id)
		redis.call('ZREM', KEYS[1], id)
		open[i] = true
		n = n + 1
	end
end
for i = 3, #KEYS do
	local at = 4 + tonumber(ARGV[4]) + (i - 3) * 3
	if open[tonumber(ARGV[at + 1])] and ARGV[at + 3] ~= '0' then
		redis.call('HINCRBY', KEYS[i], ARGV[at + 2], ARGV[at + 3])
	end
end
return n
