// One object of a type per thread, made when it is asked for first, so that what is needed for one call alone is not
// held by every flow. Not a thread_local object: the C library ends the process where it cannot note its destructor.
#pragma once

namespace umbra {

class ThreadScratch {
public:
    ThreadScratch(const ThreadScratch&) = delete;
    ThreadScratch& operator=(const ThreadScratch&) = delete;
    virtual ~ThreadScratch() = default;

    // Of the calling thread, as it ends.
    static void release();

protected:
    ThreadScratch() = default;
    void note(ThreadScratch*& place);

private:
    ThreadScratch** place_ = nullptr;
    ThreadScratch* next_ = nullptr;
};

// Tag: a type of the place that uses it.
template <class T, class Tag>
T& thread_scratch() {
    struct Holder : ThreadScratch {
        using ThreadScratch::note;
        T value;
    };
    thread_local ThreadScratch* made = nullptr;
    if (!made) (new Holder)->note(made);
    return static_cast<Holder*>(made)->value;
}

}  // namespace umbra
