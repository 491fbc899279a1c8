// Result<T>: a value or an Error. Umbra's own code throws nothing; library exceptions stop at the call.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace umbra {

// The numbers are the CLI's exit codes.
enum class ErrorCode : int { failure = 1, usage = 2, invalid_rules = 3, privilege = 4, unsupported = 5 };

// message: "attempt, object: cause", lower case. hint: the next step, may be empty.
struct Error {
    ErrorCode code = ErrorCode::failure;
    std::string message;
    std::string hint = {};
};

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const { return state_.index() == 0; }
    T& value() & { return std::get<0>(state_); }
    const T& value() const& { return std::get<0>(state_); }
    T&& value() && { return std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::get<0>(std::move(state_)); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    Error& error() { return std::get<1>(state_); }
    const Error& error() const { return std::get<1>(state_); }

private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(std::move(error)), ok_(false) {}

    explicit operator bool() const { return ok_; }
    Error& error() { return error_; }
    const Error& error() const { return error_; }

private:
    Error error_;
    bool ok_ = true;
};

}  // namespace umbra
