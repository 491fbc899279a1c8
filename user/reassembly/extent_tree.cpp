#include "reassembly/extent_tree.h"

namespace umbra {

namespace {

// Splits into what starts before `pos` and the rest.
void split(Extent* tree, StreamPos pos, Extent** before, Extent** rest) {
    while (tree) {
        if (tree->start < pos) {
            *before = tree;
            before = &tree->right;
            tree = tree->right;
        } else {
            *rest = tree;
            rest = &tree->left;
            tree = tree->left;
        }
    }
    *before = *rest = nullptr;
}

Extent* merge(Extent* low, Extent* high) {
    Extent* result = nullptr;
    Extent** at = &result;
    while (low && high) {
        if (low->priority > high->priority) {
            *at = low;
            at = &low->right;
            low = low->right;
        } else {
            *at = high;
            at = &high->left;
            high = high->left;
        }
    }
    *at = low ? low : high;
    return result;
}

std::uint32_t next_random(std::uint32_t& state) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

}  // namespace

void ExtentTree::insert(Extent* extent) {
    extent->previous = at_or_before(extent->start);
    extent->next = extent->previous ? extent->previous->next : first_;
    (extent->previous ? extent->previous->next : first_) = extent;
    (extent->next ? extent->next->previous : last_) = extent;
    extent->priority = next_random(random_);
    Extent** at = &root_;
    while (*at && (*at)->priority >= extent->priority) at = extent->start < (*at)->start ? &(*at)->left : &(*at)->right;
    split(*at, extent->start, &extent->left, &extent->right);
    *at = extent;
    ++count_;
}

void ExtentTree::remove(Extent* extent) {
    (extent->previous ? extent->previous->next : first_) = extent->next;
    (extent->next ? extent->next->previous : last_) = extent->previous;
    Extent** at = &root_;
    while (*at != extent) at = extent->start < (*at)->start ? &(*at)->left : &(*at)->right;
    *at = merge(extent->left, extent->right);
    extent->left = extent->right = extent->previous = extent->next = nullptr;
    --count_;
}

Extent* ExtentTree::at_or_before(StreamPos pos) const {
    if (!first_ || pos < first_->start) return nullptr;
    if (pos >= last_->start) return last_;
    Extent* best = nullptr;
    for (Extent* at = root_; at;) {
        if (at->start <= pos) {
            best = at;
            at = at->right;
        } else {
            at = at->left;
        }
    }
    return best;
}

}  // namespace umbra
