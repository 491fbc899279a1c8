#include "offline/stream_writer.h"

#include "offline/sha256.h"

namespace umbra::offline {

namespace {

class FileSink : public StreamSink {
public:
    FileSink(StreamWriter& writer, umbra_ledger_row& row, std::uint32_t number)
        : writer_(writer), row_(row), number_(number), name_(writer.index().file_name(number)) {
        ledger_seen(row_, &umbra_units::flows);
    }

    void data(Bytes bytes, TimeNs) override {
        StreamRecord& record = this->record();
        if (record.cut) {
            record.behind_gap += bytes.size();
            return ledger_dropped(row_, *record.cut, &umbra_units::bytes, bytes.size());
        }
        writer_.files().append(number_, name_, bytes);
        sum_.update(bytes);
        record.bytes += bytes.size();
        ledger_mirrored(row_, &umbra_units::bytes, bytes.size());
    }
    void gap(std::uint32_t length, TimeNs) override {
        StreamRecord& record = this->record();
        if (record.cut) return;
        record.cut = Reason::gap;
        record.missing = length;
    }
    void server_payload(Bytes, TimeNs) override {}
    void half_close(TimeNs) override { record().fin = true; }
    void close(CloseKind kind, Reason reason, TimeNs) override {
        StreamRecord& record = this->record();
        record.rst = kind == CloseKind::reset && reason == Reason::client_reset && !record.fin;
        const bool given_up = kind == CloseKind::abandoned || kind == CloseKind::expired;
        if (given_up && !record.fin && !record.cut) record.cut = reason;
        if (record.bytes > 0) record.sha256 = sum_.finish();
        writer_.files().close(number_);
        if (given_up)
            ledger_dropped(row_, reason, &umbra_units::flows);
        else
            ledger_mirrored(row_, &umbra_units::flows);
    }

private:
    StreamRecord& record() { return writer_.index()[number_]; }

    StreamWriter& writer_;
    umbra_ledger_row& row_;
    const std::uint32_t number_;
    const std::string name_;
    Sha256 sum_;
};

}  // namespace

std::unique_ptr<StreamSink> StreamWriter::open(const FlowTuple& tuple, OpenKind kind, TimeNs) {
    const bool midstream = kind == OpenKind::midstream;
    const bool wanted = !midstream || options_.midstream;
    const auto number = wanted ? index_.begin(tuple, midstream) : std::nullopt;
    if (number) return std::make_unique<FileSink>(*this, row_, *number);
    ledger_seen(row_, &umbra_units::flows);
    ledger_dropped(row_, wanted ? Reason::flow_table : Reason::midstream, &umbra_units::flows);
    return nullptr;
}

Result<void> StreamWriter::finish() {
    index_.settle();
    for (std::uint32_t number = 0; number < index_.size(); ++number) {
        const StreamRecord& record = index_[number];
        if (!record.listed || record.bytes > 0) continue;
        files_.begin(number, index_.file_name(number));
        files_.close(number);
    }
    return files_.finish();
}

}  // namespace umbra::offline
