// server_header(): a record of the ring buffer -> the server's header as reassembly takes it. The record was checked
// by the capture stage; the prefix is a view into it.
#pragma once

#include "flow/segment.h"

#include "umbra/abi/record.h"

namespace umbra {

ServerHeader server_header(const umbra_server_record& record);

}  // namespace umbra
