// What settings do to the regular fields of a head, in this order: redact, remove, set, add, marker, request id; then
// (behind the Host, which differs by protocol) the client's address.
#pragma once

#include "edit/edit.h"
#include "edit/fields.h"

namespace umbra::edit {

void edit_headers(FieldList& fields, const rules::MirrorSettings& settings, const Context& context);
void add_client_address(FieldList& fields, const rules::MirrorSettings& settings, const FlowTuple& flow);

}  // namespace umbra::edit
