"""Compares what a client sent, what the origin received and what the mirrors received.

Sent: the driver's --out file, for each of its connections a list of [id, sha256, bytes]. Received: a recorder's dump,
a list in order of completion of [connection, id, sha256, bytes]. Functions return a list of complaints; empty means
equal.
"""
import collections


def sent_by_id(sent):
    return {record[0]: record for connection in sent for record in connection}


def altered(sent, received, who):
    """Every received request is one that was sent, with the same bytes, and came once."""
    wanted = sent_by_id(sent)
    seen = collections.Counter(entry[1] for entry in received)
    out = [f"{who}: {i} came {n} times" for i, n in seen.items() if n > 1]
    for _, request_id, digest, length in received:
        record = wanted.get(request_id)
        if record is None:
            out.append(f"{who}: {request_id!r} was never sent")
        elif (digest, length) != (record[1], record[2]):
            out.append(f"{who}: {request_id} altered: {length} bytes for {record[2]}, hash {digest[:12]}")
    return out


def missing(sent, received, who):
    got = {entry[1] for entry in received}
    return [f"{who}: {i} is missing" for i in sent_by_id(sent) if i not in got]


def disordered(sent, received, who):
    """Requests of one client connection arrive in its order; a server connection carries one client's requests."""
    place = {record[0]: (number, index) for number, connection in enumerate(sent)
             for index, record in enumerate(connection)}
    last, owner, out = {}, {}, []
    for connection, request_id, _, _ in received:
        if request_id not in place:
            continue
        number, index = place[request_id]
        if last.get(number, -1) >= index:
            out.append(f"{who}: {request_id} came after a later request of its connection")
        last[number] = max(index, last.get(number, -1))
        if owner.setdefault(connection, number) != number:
            out.append(f"{who}: connection {connection} is shared by clients {owner[connection]} and {number}")
    return out


def identical(sent, received, who):
    """Nothing altered, nothing missing, nothing twice, in order."""
    return altered(sent, received, who) + missing(sent, received, who) + disordered(sent, received, who)


def honest(sent, received, who):
    """Some may be missing, but what is there is unaltered, came once and in order."""
    return altered(sent, received, who) + disordered(sent, received, who)


def total_bytes(received):
    return sum(entry[3] for entry in received)
