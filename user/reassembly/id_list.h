// Store: objects of one type at stable addresses, known by small numbers, reused after release().
// IdList: a doubly linked list through a ListLink inside the objects of a Store; an object is in a list at most once.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace umbra {

inline constexpr std::uint32_t kNoId = 0xffffffff;

struct ListLink {
    static constexpr std::uint32_t kUnlinked = 0xfffffffe;
    std::uint32_t previous = kUnlinked;
    std::uint32_t next = kUnlinked;

    bool linked() const { return next != kUnlinked; }
};

template <class T>
class Store {
public:
    static constexpr std::uint32_t kPage = 64;

    T& operator[](std::uint32_t id) { return (*pages_[id / kPage])[id % kPage]; }
    const T& operator[](std::uint32_t id) const { return (*pages_[id / kPage])[id % kPage]; }
    std::size_t size() const { return made_ - free_.size(); }

    // What the next acquire() allocates.
    std::size_t growth_bytes() const { return free_.empty() && made_ % kPage == 0 ? sizeof(Page) : 0; }

    // A default-constructed T.
    std::uint32_t acquire() {
        if (free_.empty()) {
            if (made_ % kPage == 0) pages_.push_back(std::make_unique<Page>());
            return made_++;
        }
        const std::uint32_t id = free_.back();
        free_.pop_back();
        return id;
    }
    void release(std::uint32_t id) {
        (*this)[id] = T{};
        free_.push_back(id);
    }

private:
    using Page = std::array<T, kPage>;

    std::vector<std::unique_ptr<Page>> pages_;
    std::vector<std::uint32_t> free_;
    std::uint32_t made_ = 0;
};

template <class T, ListLink T::*link>
class IdList {
public:
    explicit IdList(Store<T>& store) : store_(store) {}

    bool empty() const { return head_ == kNoId; }
    std::uint32_t head() const { return head_; }
    std::size_t size() const { return size_; }

    void push_back(std::uint32_t id) {
        ListLink& mine = store_[id].*link;
        mine = {tail_, kNoId};
        (tail_ == kNoId ? head_ : (store_[tail_].*link).next) = id;
        tail_ = id;
        ++size_;
    }
    void remove(std::uint32_t id) {
        ListLink& mine = store_[id].*link;
        (mine.previous == kNoId ? head_ : (store_[mine.previous].*link).next) = mine.next;
        (mine.next == kNoId ? tail_ : (store_[mine.next].*link).previous) = mine.previous;
        mine = {};
        --size_;
    }
    void move_to_back(std::uint32_t id) {
        if (id == tail_) return;
        remove(id);
        push_back(id);
    }

private:
    Store<T>& store_;
    std::uint32_t head_ = kNoId;
    std::uint32_t tail_ = kNoId;
    std::size_t size_ = 0;
};

}  // namespace umbra
