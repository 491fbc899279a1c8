// CaptureFile: how a verb wants its capture read, and the first look at it that both need.
#pragma once

#include <string>

#include "capture/pcap_source.h"
#include "flow/decode.h"
#include "offline/progress.h"
#include "offline/survey.h"
#include "reassembly/limits.h"

namespace umbra::offline {

enum class ChecksumPolicy : std::uint8_t {
    automatic,  // verified, but not of senders whose network card filled them in after the capture
    verify,
    trust,
};

struct CaptureFile {
    std::string path;
    Mode mode = Mode::strict;
    ChecksumPolicy checksums = ChecksumPolicy::automatic;

    Result<std::unique_ptr<PcapSource>> open() const;
    // A pipe can be read only once and is not looked at before.
    bool repeatable() const;
    // A broken file is looked at as far as it goes: reading it again will report it.
    Result<void> look_ahead(Survey& survey, Progress& progress) const;
};

// Addresses and lengths count; a capture may hold packets whose checksums were still to be filled in.
inline constexpr DecodeOptions kCaptureDecoding{.virtual_device = true, .verify_ip_checksum = false};

}  // namespace umbra::offline
