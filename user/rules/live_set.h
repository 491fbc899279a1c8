// LiveSet: objects that come one by one from an API and cannot be refused as a whole, as files are. What is wrong with
// one object keeps that object out and is said of it; the others go on. Of an object whose newest version is invalid
// the last valid one stays in force.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "rules/compile.h"
#include "rules/document_set.h"

namespace umbra::rules {

// What is said of one rule or policy.
struct ObjectState {
    std::int64_t generation = 0;  // metadata.generation of the newest version
    bool valid = false;           // the newest version can be read
    bool in_conflict = false;     // valid by itself, kept out because of other objects or limits
    std::vector<Diagnostic> findings;

    bool accepted() const { return valid && !in_conflict; }
};

struct LiveOutcome {
    DocumentSet accepted;                     // of the set's objects
    Plan plan;                                // of these, and of the local ones above them
    std::map<ObjectKey, ObjectState> states;  // of the set's rules and policies
    // Errors that are no single object's of the set; with any, the plan is empty and not to be used.
    std::vector<Diagnostic> errors;
};

class LiveSet {
public:
    // An object of a kind that is not read is left out.
    void put(const nlohmann::ordered_json& object);
    void erase(const ObjectKey& key);
    // Objects that are not put again between mark() and sweep() are erased.
    void mark();
    void sweep();

    const DocumentSet& documents() const { return documents_; }
    std::size_t size() const { return entries_.size(); }

    // local: objects of files, which replace those of the set with the same key.
    LiveOutcome compile(const DocumentSet& local, const CompileOptions& options) const;

private:
    struct Entry {
        ObjectState state;
        bool marked = false;
    };
    std::map<ObjectKey, Entry> entries_;
    DocumentSet documents_;  // valid versions
};

}  // namespace umbra::rules
