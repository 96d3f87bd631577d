-- Notes that a node is there, and when the server's clock says it is.
-- KEYS: 1 the mark that the book is whole. ARGV: 1 the lease (ms), 2 '1' to make the mark where there is none.
-- The mark is three times (ms): when a node was last heard of, until when no hold is taken for that of a dead node, and when it was made. Where nobody was heard of
-- for half a lease it was the server that was away, and nodes need time to renew theirs.
-- Returns when the mark was made; 0: it is not there.
local mark = redis.call('GET', KEYS[1])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if not mark then
	if ARGV[2] ~= '1' then return 0 end
	redis.call('SET', KEYS[1], string.format('%.0f 0 %.0f', now, now))
	return now
end
local beat, grace, made = string.match(mark, '^(%d+) (%d+) (%d+)$')
grace, made = tonumber(grace) or 0, tonumber(made) or 1
if now - (tonumber(beat) or 0) > ARGV[1] / 2 then grace = now + ARGV[1] end
redis.call('SET', KEYS[1], string.format('%.0f %.0f %.0f', now, grace, made))
return made
